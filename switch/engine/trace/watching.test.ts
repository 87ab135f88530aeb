// SPDX-License-Identifier: Apache-2.0
/** Filters, and traces of packets as they pass, on the load balancer's own program. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../compile.ts';
import { filterLimits, parseFilter } from './filter.ts';
import { type WatchReport, watchesMax } from './watching.ts';

const json = JSON.parse(readFileSync(new URL('../../../p4/build/evenkeel.json', import.meta.url), 'utf8'));

function started() {
  const reports: WatchReport[] = [];
  const sent: number[] = [];
  const { pipeline, program } = compile(json, {
    dropPort: 511,
    sink: {
      transmit: (port) => sent.push(port),
      digest: () => {},
      diagnostic: () => {},
      report: (report) => reports.push(report),
    },
  });
  return { pipeline, program, reports, sent };
}

const tcp = bytes(
  '020000000064 020000000001 0800 45000028 00004000 4006266c 0a000001 0a000064 03e80050 00000001 00000002 50022000 7743 0000',
);
const arp = bytes(
  'ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a0000fe',
);

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

const watch = (filter: string) => ({ filter, perSecond: 1000, total: 1000 });

/** Whether the filter wants a packet. */
function wants(filter: string, frame: Uint8Array, port = 1): boolean {
  const { pipeline, reports } = started();
  expect(pipeline.watch(1, watch(filter))).toBeUndefined();
  pipeline.process(port, frame, 0);
  return reports.length > 0;
}

describe('a filter', () => {
  it.each([
    ['ingress_port == 1', true],
    ['standard_metadata.ingress_port != 1', false],
    ['hdr.ipv4.target_address == 10.0.0.100', true],
    ['ipv4.target_address in 10.0.0.0/24 && tcp.target_port in 80..90', true],
    ['ipv4.target_address in 10.0.1.0/24', false],
    ['tcp.target_port in {22, 80, 443}', true],
    ['tcp.target_port in {22, 443}', false],
    ['tcp.flags & 0x12 == 2', true],
    ['tcp.flags & 0x12 == 0x12', false],
    ['ethernet.source_mac == 02:00:00:00:00:01', true],
    ['meta.flow.source_port >= 1000 && meta.flow_source_port < 1001', true],
    ['ipv4.ttl > 64 || tcp', true],
    ['udp', false],
    ['!udp.isValid() && !(arp || packet_out)', true],
    ['udp.target_port != 53', false],
    ['packet_length == 54', true],
    ['ipv4.checksum == 0b10011001101100', true],
    ['checksum_error == 0', true],
  ])('%s: %s', (filter, expected) => {
    expect(wants(filter, tcp)).toBe(expected);
  });

  it('is false for a field of a header that is not there, and its opposite is true', () => {
    expect(wants('tcp.target_port != 80', arp)).toBe(false);
    expect(wants('!(tcp.target_port == 80)', arp)).toBe(true);
  });

  it.each([
    ['tcp.target_prot == 80', 1, "there is no field 'tcp.target_prot'; did you mean tcp.target_port"],
    ['ipv4.ttl == 1 && source_port == 2', 18, "'source_port' may be outer_udp.source_port or"],
    ['ipv4.ttl = 1', 10, "'=' means nothing here"],
    ['ipv4.ttl', 9, "expected '==', '!=', '<', '<=', '>', '>=' or 'in', found the end"],
    ['ipv4.ttl == 256', 13, '256 does not fit into the 8 bits of ttl'],
    ['ipv4.ttl in 9..3', 16, 'the range ends before it begins'],
    ['ipv4.ttl in 9', 14, "expected '..' or '/' behind the first value of a set, found the end"],
    ['ipv4.ttl in 0/9', 15, 'a prefix of 9 bits; the field has 8'],
    ['(ipv4.ttl == 1', 15, "expected ')', found the end"],
    ['ipv5.isValid()', 1, "there is no header 'ipv5'; did you mean ipv4"],
    ['ipv4.ttl == 1 tcp', 15, "expected '&&', '||' or the end, found 'tcp'"],
    ['', 1, 'expected the name of a field or header, found the end'],
    ['ipv4.source_address == 1.2.3.400', 24, "'1.2.3.400' is no address"],
    [`${'!'.repeat(filterLimits.depthMax + 1)}tcp`, filterLimits.depthMax + 1, 'nested deeper than 100'],
  ])('is refused with the column: %s', (filter, column, message) => {
    const problem = started().pipeline.watch(1, watch(filter))!;
    expect([problem.column, problem.message.slice(0, message.length)]).toEqual([column, message]);
  });

  it('never fails otherwise, whatever is written', () => {
    const { program } = started();
    const word = fc.constantFrom(
      ...[
        'ipv4.ttl',
        'tcp',
        '==',
        'in',
        '..',
        '/',
        '{',
        '}',
        '(',
        ')',
        '!',
        '&&',
        '||',
        '&',
        '80',
        '::',
        'ab:',
        '.',
        '$',
      ],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word).map((words) => words.join(' ')),
        ),
        (text) => {
          const parsed = parseFilter(text, program);
          if ('problem' in parsed) expect(parsed.problem.column).toBeLessThanOrEqual(text.length + 1);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('a watch', () => {
  it('tells of packets that fit, and leaves the others as they are', () => {
    const { pipeline, reports } = started();
    pipeline.watch(7, watch('arp'));
    for (const frame of [tcp, arp, tcp, arp]) pipeline.process(1, frame, 0);
    expect(reports.map(({ watch, skipped, ended }) => [watch, skipped, ended])).toEqual([
      [7, 0, undefined],
      [7, 0, undefined],
    ]);
    expect(reports[0]!.trace!.parts[0]!.steps.length).toBeGreaterThan(5);
  });

  it('counts what is too much in one second, and ends with the last packet asked for', () => {
    const { pipeline, reports } = started();
    pipeline.watch(1, { filter: 'tcp', perSecond: 2, total: 3 });
    for (let packet = 0; packet < 5; packet++) pipeline.process(1, tcp, packet);
    pipeline.process(1, tcp, 1_000_000);
    pipeline.process(1, tcp, 1_000_001);
    expect(
      reports.map(({ trace, skipped, ended }) => [trace!.nowMicros, skipped, ended !== undefined]),
    ).toEqual([
      [0, 0, false],
      [1, 0, false],
      [1_000_000, 3, true],
    ]);
  });

  it('does not change what the packets do: counters count once, digests are raised once', () => {
    const watched = started();
    const alone = started();
    watched.pipeline.watch(1, watch('tcp || arp'));
    watched.pipeline.watch(2, watch('ingress_port == 9'));
    for (const bench of [watched, alone]) {
      for (const frame of [tcp, arp, tcp]) bench.pipeline.process(1, frame, 0);
    }
    expect(watched.sent).toEqual(alone.sent);
    const counts = ({ pipeline, program }: typeof alone) =>
      program.counters.map(({ id, size }) =>
        Array.from({ length: Math.min(size, 16) }, (_, index) => pipeline.readCounter(id, index)),
      );
    expect(counts(watched)).toEqual(counts(alone));
  });

  it('is over when it is told so; there are only so many', () => {
    const { pipeline, reports } = started();
    for (let id = 0; id < watchesMax; id++) expect(pipeline.watch(id, watch('tcp'))).toBeUndefined();
    expect(pipeline.watch(99, watch('tcp'))!.message).toBe(`there are ${watchesMax} watches already`);
    pipeline.process(1, tcp, 0);
    expect(reports).toHaveLength(watchesMax);
    expect(new Set(reports.map(({ trace }) => trace)).size).toBe(1);
    for (let id = 0; id < watchesMax; id++) pipeline.unwatch(id);
    pipeline.process(1, tcp, 0);
    expect(reports).toHaveLength(watchesMax);
  });
});
