// SPDX-License-Identifier: Apache-2.0
/**
 * One prefix table of one pool: which value each of its slots is to have, which rows the switch holds, and by which steps
 * these become others without a slot ever having a third value.
 */
import { fewestRows, firstSlotOf, NO_VALUE, type PrefixRows, sizeOf } from '../core/prefix-cover.ts';

/** Of a slot whose rows are in doubt. */
export const UNKNOWN = -1;

/** `value` NO_VALUE: the row goes. */
export interface RowChange {
  readonly node: number;
  readonly value: number;
}

interface Held {
  /** As last acknowledged; NO_VALUE: no row. UNKNOWN: some row. */
  value: number;
  /** What it may be instead. Valid iff isDoubtful. */
  sent: number;
  isDoubtful: boolean;
}

export class PrefixTable {
  /** Per slot, as far as slots were named; a power of two. */
  private wanted: Uint16Array = new Uint16Array(1);
  private effective: Int32Array = new Int32Array(1);
  private readonly rows = new Map<number, Held>();

  /** Takes over a row that was read from the switch. */
  load(node: number, value: number): void {
    this.grow(firstSlotOf(node) + sizeOf(node) - 1);
    this.rows.set(node, { value, sent: value, isDoubtful: false });
  }

  /** All rows have been loaded: slots are to have what they have. */
  loaded(): void {
    this.refresh();
    this.wanted.set(this.effective);
  }

  get rowCount(): number {
    return this.rows.size;
  }

  /** Slots that have a value, or may have another. */
  get slotCount(): number {
    return this.wanted.length;
  }

  wantedOf(slot: number): number {
    return this.wanted[slot] ?? NO_VALUE;
  }

  want(slot: number, value: number): void {
    this.grow(slot);
    this.wanted[slot] = value;
  }

  /** What the switch does with the slot, as of the last `refresh`. */
  effectiveOf(slot: number): number {
    return this.effective[slot] ?? NO_VALUE;
  }

  /** Whether the switch is thought to hold this row. */
  holds(node: number): boolean {
    const held = this.rows.get(node);
    return held !== undefined && held.value !== NO_VALUE;
  }

  /** Finds out again what the switch does with each slot: the longest prefix wins. */
  refresh(): void {
    this.effective.fill(NO_VALUE);
    // Numbers of nodes grow with the length of their prefixes.
    const nodes = [...this.rows.keys()].sort((a, b) => a - b);
    for (const node of nodes) {
      const { value, sent, isDoubtful } = this.rows.get(node)!;
      const first = firstSlotOf(node);
      const end = first + sizeOf(node);
      if (!isDoubtful) {
        if (value !== NO_VALUE) this.effective.fill(value, first, end);
        continue;
      }
      for (let slot = first; slot < end; slot++) {
        const below = this.effective[slot]!;
        const either = value === NO_VALUE ? below : value;
        const or = sent === NO_VALUE ? below : sent;
        this.effective[slot] = either === or ? either : UNKNOWN;
      }
    }
  }

  /** Steps from the rows held to the fewest rows for what is wanted. Each must be acknowledged before the next is sent. */
  plan(): RowChange[][] {
    const isHeld = (node: number, value: number): boolean => this.rows.get(node)?.value === value;
    return steps(this.changesTo(fewestRows(this.wanted, isHeld)));
  }

  /**
   * Steps that only delete rows: those that no slot goes by, or only such as are to have none. The switch had no room for
   * new rows, which it may need first to take others away.
   */
  planRemovals(): RowChange[][] {
    const by = new Int32Array(this.wanted.length);
    const nodes = [...this.rows.keys()].sort((a, b) => a - b);
    for (const node of nodes) by.fill(node, firstSlotOf(node), firstSlotOf(node) + sizeOf(node));
    const users = new Set<number>();
    const needed = new Set<number>();
    by.forEach((node, slot) => {
      users.add(node);
      if (this.wanted[slot] !== NO_VALUE) needed.add(node);
    });
    const kept = new Set<number>();
    const deleted: RowChange[] = [];
    for (const node of nodes) {
      if (!users.has(node) || (!needed.has(node) && !hasAbove(kept, node)))
        deleted.push({ node, value: NO_VALUE });
      else kept.add(node);
    }
    return steps({ written: [], deleted });
  }

  /** The switch has acknowledged the change. */
  done({ node, value }: RowChange): void {
    if (value === NO_VALUE) this.rows.delete(node);
    else this.rows.set(node, { value, sent: value, isDoubtful: false });
  }

  /** The switch has a row there that nobody knew of. */
  exists({ node, value }: RowChange): void {
    this.rows.set(node, { value: UNKNOWN, sent: value, isDoubtful: true });
  }

  /** It has no row there. */
  isMissing({ node }: RowChange): void {
    this.rows.delete(node);
  }

  /** The change may be done or not. */
  doubt({ node, value }: RowChange): void {
    const held = this.rows.get(node) ?? { value: NO_VALUE, sent: NO_VALUE, isDoubtful: false };
    const isOther = held.isDoubtful && held.sent !== value;
    this.rows.set(node, { value: isOther ? UNKNOWN : held.value, sent: value, isDoubtful: true });
  }

  private changesTo(target: PrefixRows): { written: RowChange[]; deleted: RowChange[] } {
    const written: RowChange[] = [];
    const deleted: RowChange[] = [];
    for (const [node, value] of target) {
      const held = this.rows.get(node);
      if (held === undefined || held.isDoubtful || held.value !== value) written.push({ node, value });
    }
    for (const node of this.rows.keys()) if (!target.has(node)) deleted.push({ node, value: NO_VALUE });
    return { written, deleted };
  }

  private grow(slot: number): void {
    if (slot < this.wanted.length) return;
    let size = this.wanted.length;
    while (size <= slot) size *= 2;
    const wanted = new Uint16Array(size);
    wanted.set(this.wanted);
    this.wanted = wanted;
    const effective = new Int32Array(size);
    effective.set(this.effective);
    this.effective = effective;
  }
}

function hasAbove(nodes: ReadonlySet<number>, node: number): boolean {
  for (let above = node >> 1; above >= 1; above >>= 1) if (nodes.has(above)) return true;
  return false;
}

/**
 * Which changes may be made at once. Rows are written before any are deleted; longer prefixes before shorter ones, so that a row
 * under a slot changes only when it is hidden or the slot's own; and shorter ones are deleted before longer ones, so that a slot
 * falls from its old row right onto its new one.
 */
function steps({ written, deleted }: { written: RowChange[]; deleted: RowChange[] }): RowChange[][] {
  /** By node: how many steps changes of longer, or of shorter, prefixes take. */
  const within = new Map<number, number>();
  const first: RowChange[][] = [];
  for (const change of written.sort((a, b) => b.node - a.node)) {
    const step = within.get(change.node) ?? 0;
    (first[step] ??= []).push(change);
    for (let above = change.node >> 1; above >= 1; above >>= 1) {
      if ((within.get(above) ?? 0) > step) break;
      within.set(above, step + 1);
    }
  }
  const stepOf = new Map<number, number>();
  const last: RowChange[][] = [];
  for (const change of deleted.sort((a, b) => a.node - b.node)) {
    let step = 0;
    for (let above = change.node >> 1; above >= 1; above >>= 1) {
      const over = stepOf.get(above);
      if (over === undefined) continue;
      step = over + 1;
      break;
    }
    stepOf.set(change.node, step);
    (last[step] ??= []).push(change);
  }
  return [...first, ...last];
}
