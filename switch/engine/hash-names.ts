// SPDX-License-Identifier: Apache-2.0
/**
 * The names of hash algorithms in the BMv2 JSON. Those of v1model come first; the rest stands in hand-written JSON only.
 *
 * Sources: behavioral-model src/bm_sim/calculations.cpp (REGISTER_HASH, custom CRCs), src/bm_sim/crc_map.cpp,
 * targets/simple_switch/simple_switch.cpp.
 */

import type { Calculation, CrcParameters, HashAlgorithm } from './program.ts';

export type Hash = Pick<Calculation, 'algorithm' | 'crc'>;

/** @returns the algorithm, or what is wrong with the name */
export function findHash(name: string): Hash | string {
  const plain = plainAlgorithms.get(name);
  if (plain) return { algorithm: plain, crc: undefined };
  const crc = namedCrcs.get(name) ?? customCrc(name);
  if (crc) return { algorithm: 'crc', crc };
  if (name === 'random')
    return 'HashAlgorithm.random stands in v1model.p4, but BMv2 has no such hash and does not load it either';
  return `there is no hash algorithm "${name.slice(0, 80)}"; v1model's are ${[...plainAlgorithms.keys()].slice(0, 7).join(', ')}`;
}

const plainAlgorithms: ReadonlyMap<string, HashAlgorithm> = new Map([
  ['crc32', 'crc32'],
  // The custom ones can be given other parameters over Thrift only.
  ['crc32_custom', 'crc32'],
  ['crc16', 'crc16'],
  ['crc16_custom', 'crc16'],
  ['identity', 'identity'],
  ['csum16', 'csum16'],
  ['xor16', 'xor16'],
  ['cksum16', 'csum16'],
  ['xor32', 'xor32'],
  ['xxh64', 'xxh64'],
  ['bmv2_hash', 'xxh64'],
  ['hash_ex', 'hash_ex'],
  ['toeplitz', 'toeplitz'],
  ['round_robin', 'round_robin'],
  ['round_robin_consistent', 'round_robin_consistent'],
]);

type Row = readonly [width: CrcParameters['width'], polynomial: bigint, initial: bigint, finalXor: bigint];

const ones16 = 0xffffn;
const ones32 = 0xffff_ffffn;
const ones64 = 0xffff_ffff_ffff_ffffn;

const reflectedCrcs: Readonly<Record<string, Row>> = {
  crc_8_darc: [8, 0x39n, 0n, 0n],
  crc_8_maxim: [8, 0x31n, 0n, 0n],
  crc_8_rohc: [8, 0x07n, 0xffn, 0n],
  crc_8_wcdma: [8, 0x9bn, 0n, 0n],
  crc_16: [16, 0x8005n, 0n, 0n],
  crc_16_dnp: [16, 0x3d65n, 0n, ones16],
  crc_16_maxim: [16, 0x8005n, 0n, ones16],
  crc_16_mcrf4xx: [16, 0x1021n, ones16, 0n],
  crc_16_riello: [16, 0x1021n, 0xb2aan, 0n],
  crc_16_usb: [16, 0x8005n, ones16, ones16],
  x_25: [16, 0x1021n, ones16, ones16],
  modbus: [16, 0x8005n, ones16, 0n],
  kermit: [16, 0x1021n, 0n, 0n],
  crc_32: [32, 0x04c11db7n, ones32, ones32],
  crc_32c: [32, 0x1edc6f41n, ones32, ones32],
  crc_32d: [32, 0xa833982bn, ones32, ones32],
  jamcrc: [32, 0x04c11db7n, ones32, 0n],
  crc_64: [64, 0x1bn, 0n, 0n],
  crc64_custom: [64, 0x1bn, 0n, 0n],
  crc_64_jones: [64, 0xad93d23594c935a9n, ones64, 0n],
};

const plainCrcs: Readonly<Record<string, Row>> = {
  crc_8: [8, 0x07n, 0n, 0n],
  crc8_custom: [8, 0x07n, 0n, 0n],
  crc_8_i_code: [8, 0x1dn, 0xfdn, 0n],
  crc_8_itu: [8, 0x07n, 0n, 0x55n],
  crcCCITT: [16, 0x1021n, ones16, 0n],
  crc_16_buypass: [16, 0x8005n, 0n, 0n],
  crc_16_dds_110: [16, 0x8005n, 0x800dn, 0n],
  crc_16_dect: [16, 0x0589n, 0n, 1n],
  crc_16_en_13757: [16, 0x3d65n, 0n, ones16],
  crc_16_genibus: [16, 0x1021n, ones16, ones16],
  crc_16_t10_dif: [16, 0x8bb7n, 0n, 0n],
  crc_16_teledisk: [16, 0xa097n, 0n, 0n],
  xmodem: [16, 0x1021n, 0n, 0n],
  crc_ccitt_false: [16, 0x1021n, ones16, 0n],
  crc_aug_ccitt: [16, 0x1021n, 0x1d0fn, 0n],
  crc_32_bzip2: [32, 0x04c11db7n, ones32, ones32],
  crc_32_mpeg: [32, 0x04c11db7n, ones32, 0n],
  posix: [32, 0x04c11db7n, 0n, ones32],
  crc_32q: [32, 0x814141abn, 0n, 0n],
  xfer: [32, 0xafn, 0n, 0n],
  crc_64_we: [64, 0x42f0e1eba9ea3693n, ones64, ones64],
};

const namedCrcs: ReadonlyMap<string, CrcParameters> = new Map([
  ...Object.entries(reflectedCrcs).map(([name, row]) => [name, parametersOf(row, true)] as const),
  ...Object.entries(plainCrcs).map(([name, row]) => [name, parametersOf(row, false)] as const),
]);

function parametersOf([width, polynomial, initial, finalXor]: Row, reflected: boolean): CrcParameters {
  return { width, polynomial, initial, finalXor, reflected };
}

/**
 * "poly_0x1..._init_0x..._xout_0x..._not_rev" in any order: only `poly` is needed, and its leading 1 stands above the
 * width. Without `not_rev` the CRC is reflected.
 */
function customCrc(name: string): CrcParameters | undefined {
  const numbers = new Map<string, string>();
  let reflected = true;
  const tokens = name.split('_');
  for (let at = 0; at < tokens.length; at += 2) {
    const [key, value] = [tokens[at]!, tokens[at + 1]];
    if (key === 'not' && value === 'rev') reflected = false;
    else if (
      value !== undefined &&
      ['poly', 'init', 'xout'].includes(key) &&
      /^0x[0-9a-f]{1,17}$/i.test(value)
    )
      numbers.set(key, value);
    else return undefined;
  }
  const polynomial = /^0x1([0-9a-f]+)$/i.exec(numbers.get('poly') ?? '')?.[1];
  const width = widths.find((bits) => bits === 4 * (polynomial?.length ?? 0));
  if (width === undefined) return undefined;
  const number = (key: string) => BigInt.asUintN(width, BigInt(numbers.get(key) ?? 0));
  const [initial, finalXor] = [number('init'), number('xout')];
  return { width, polynomial: BigInt(`0x${polynomial}`), initial, finalXor, reflected };
}

const widths = [8, 16, 32, 64] as const;
