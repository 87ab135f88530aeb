// SPDX-License-Identifier: Apache-2.0
/**
 * What the simulator asks of a switch that runs p4/core: rows in, packets in, verdicts and digests out.
 *
 * Two switches answer to it. `FastSwitch` is a model for a million flows; `CompiledSwitch` executes the compiled P4
 * program. differential.test.ts holds them to the same decisions.
 */

import type { DigestReason, Millis, WriteFailureCode } from '../../controller/core/event.ts';
import type { Flow } from '../../controller/core/flow-hash.ts';
import type { Column, PinRow, RowUpdate, SwitchRow } from '../../controller/core/row.ts';

export type { Flow } from '../../controller/core/flow-hash.ts';

/** The flags that the pipeline tells apart; UDP has none, so they say nothing there. */
export type PacketFlags = 'syn' | 'ack' | 'fin' | 'rst';

export interface Packet {
  flow: Flow;
  flags: PacketFlags;
}

/** A flow digest, as p4/core raises it. */
export interface Digest {
  reason: DigestReason;
  pool: number;
  slot: number;
  column: Column;
  backend: number;
  sourceAddress: number;
  sourcePort: number;
}

/** Why a packet goes where it goes: DECISION_* of p4/core/types.p4; `not ours` is a packet that no vip claims. */
export type Decision = 'not ours' | 'stable' | 'pinned' | 'filter' | 'base' | 'new';

export interface Verdict {
  decision: Decision;
  /** 0: dropped, or not ours. */
  backend: number;
  digest: Digest | undefined;
}

/**
 * Most rows of a table; a table that is not named has room for everything. `version` is one default action, not rows.
 */
export type Capacity = Readonly<Partial<Record<SwitchRow['table'], number>>>;

/** The sizes of p4/core/types.p4: what a switch has room for that runs the program as it is. */
export const programCapacity: Capacity = {
  vip: 1024,
  slot: 1_048_576,
  slot_version: 3_145_728,
  slot_prefix: 131_072,
  slot_version_prefix: 131_072,
  pin: 131_072,
  backend: 8192,
  return_path: 8192,
  route: 4096,
  neighbour: 8192,
  known_neighbour: 8192,
  own_address: 2048,
};

export interface SimSwitch {
  /** One update, as a switch does it. @returns why it was refused; nothing has changed then */
  apply(update: RowUpdate<SwitchRow>, now: Millis): WriteFailureCode | undefined;
  /** Everything it holds, as `connected` brings it: the version in force first, the rest in no promised order. */
  read(): SwitchRow[];
  process(packet: Packet, now: Millis): Verdict;
  /** Pins that nothing has hit for as long as their rows say. They stay until deleted. */
  idlePins(now: Millis): PinRow[];
  /** Rows in a table; 1 for `version`. */
  count(table: SwitchRow['table']): number;
  /** Packets with the decision `new` since the last restart. */
  readonly admitted: number;
  /** Empty tables, filters and counters, and the program's own version: what a switch is after losing its power. */
  restart(): void;
}
