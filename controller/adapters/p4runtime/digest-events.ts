// SPDX-License-Identifier: Apache-2.0
/** Digests of p4/core, made events. */
import type { TypedDigest } from '../../../p4runtime/typed-entries.ts';
import type { DigestReason } from '../../core/event.ts';
import type { Column } from '../../core/row.ts';
import type { SwitchEvent } from '../../ports/switch.ts';
import type { Program } from './generated/evenkeel.ts';

export const digestNames = [
  'flow_digest_t',
  'flow_digest_ipv6_t',
  'neighbour_digest_t',
  'neighbour_digest_ipv6_t',
] as const satisfies (keyof Program['digests'])[];

/** p4/core/types.p4, DIGEST_*. */
const reasons: Readonly<Record<number, DigestReason>> = {
  1: 'old',
  2: 'learn',
  3: 'closing',
  4: 'opening',
};

/** @returns an event for each sample; undefined for one whose reason nobody knows */
export function digestEvents(digest: TypedDigest<Program>): (SwitchEvent | undefined)[] {
  switch (digest.name) {
    case 'flow_digest_t':
    case 'flow_digest_ipv6_t':
      return digest.samples.map(flowEvent);
    case 'neighbour_digest_t':
    case 'neighbour_digest_ipv6_t':
      return digest.samples.map(({ port, address, mac }) => {
        return { kind: 'neighbour-digest', port, address, mac: Number(mac) };
      });
  }
}

type FlowSample = Program['digests']['flow_digest_t'] | Program['digests']['flow_digest_ipv6_t'];

function flowEvent(sample: FlowSample): SwitchEvent | undefined {
  const reason = reasons[sample.reason];
  if (reason === undefined) return undefined;
  const { pool, slot, backend, source_address: sourceAddress, source_port: sourcePort } = sample;
  const column = sample.column as Column;
  return { kind: 'flow-digest', reason, pool, slot, column, backend, sourceAddress, sourcePort };
}
