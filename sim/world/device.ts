// SPDX-License-Identifier: Apache-2.0
/** A switch of the world: its tables, what they hold as far as anybody was told, and its one primary controller. */
import type { Millis, WriteFailureCode } from '../../controller/core/event.ts';
import type { FilterSlot, RowUpdate, SwitchRow } from '../../controller/core/row.ts';
import type { Digest, Packet, SimSwitch, Verdict } from '../switch/sim-switch.ts';
import type { Chronicle } from './chronicle.ts';
import { Mirror } from './mirror.ts';

/** Who wants to know of every row that changes. */
export interface RowWitness {
  /** Right before the switch accepts it or not; `after` is called once it has. @returns what to call */
  changing(
    device: Device,
    update: RowUpdate<SwitchRow>,
  ): ((code: WriteFailureCode | undefined) => void) | undefined;
}

/** How the flow learns what became of its digest; neither is called when it goes down with its stream. */
export interface DigestFate {
  heard(): void;
  lost(): void;
  /** False: too many were lost in a row already. */
  mayBeLost: boolean;
}

/** A stream to the one controller that may write. */
export interface DigestListener {
  hearDigest(digest: Digest, fate: DigestFate): void;
}

export class Device {
  readonly mirror = new Mirror();
  readonly index: number;
  /** Told about digests; undefined: nobody listens, which whoever connects next knows. */
  listener: DigestListener | undefined;
  /** Times a controller became primary. */
  primaries = 0;
  /** Digests may have been lost then, last. */
  gapAt: Millis = 0;
  /** The active filter slot has had more members than it should since then. */
  overfullSince: Millis | undefined;
  /** Times it lost everything. */
  restarts = 0;
  /** `admitted` when each filter slot was made active and when it ceased to be. */
  readonly filters = [0, 1, 2, 3].map(() => ({ admittedBefore: 0, members: 0, deactivatedAt: 0 }));
  readonly #switch: SimSwitch;
  readonly #witness: RowWitness;
  readonly #chronicle: Chronicle;

  constructor(index: number, simSwitch: SimSwitch, witness: RowWitness, chronicle: Chronicle) {
    this.#chronicle = chronicle;
    this.index = index;
    this.#switch = simSwitch;
    this.#witness = witness;
  }

  get admitted(): number {
    return this.#switch.admitted;
  }

  apply(update: RowUpdate<SwitchRow>, now: Millis): WriteFailureCode | undefined {
    const witness = this.#witness.changing(this, update);
    const before = this.mirror.version;
    const code = this.#switch.apply(update, now);
    if (code === undefined) {
      this.mirror.record(update);
      if (update.row.table === 'version') this.#noteActive(before.active, update.row.active, now);
    }
    this.#chronicle.noteRow(this, update, code ?? '');
    witness?.(code);
    return code;
  }

  process(packet: Packet, now: Millis): Verdict {
    return this.#switch.process(packet, now);
  }

  raise(digest: Digest, fate: DigestFate): void {
    this.listener?.hearDigest(digest, fate);
  }

  read(): ReturnType<SimSwitch['read']> {
    return this.#switch.read();
  }

  idlePins(now: Millis): ReturnType<SimSwitch['idlePins']> {
    return this.#switch.idlePins(now);
  }

  restart(): void {
    this.restarts++;
    this.#switch.restart();
    this.mirror.clear();
    for (const filter of this.filters)
      Object.assign(filter, { admittedBefore: 0, members: 0, deactivatedAt: 0 });
  }

  /** Flows that the active filter slot has admitted. */
  get activeMembers(): number {
    return this.admitted - this.filters[this.mirror.version.active]!.admittedBefore;
  }

  /** Flows that a filter slot has admitted since it was emptied. */
  membersOf(filterSlot: number): number {
    return filterSlot === this.mirror.version.active ? this.activeMembers : this.filters[filterSlot]!.members;
  }

  #noteActive(before: FilterSlot, after: FilterSlot, now: Millis): void {
    if (before === after) return;
    const old = this.filters[before]!;
    old.members = this.admitted - old.admittedBefore;
    old.deactivatedAt = now;
    this.overfullSince = undefined;
    this.filters[after]!.admittedBefore = this.admitted;
  }
}
