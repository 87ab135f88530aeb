// SPDX-License-Identifier: Apache-2.0
/**
 * The members and groups of one action profile. Members are rows of parallel arrays, as entries are in table-state.ts:
 * row 0 is "no action", row m + 1 the member with handle m.
 *
 * A group gives each of its active members one share. Shares are in the order of the member handles, and a hash takes
 * the share of its remainder: behavioral-model PI/src/group_selection.cpp, to the packet.
 */

import { type DataPlan, noAction, storeData } from './table-state.ts';

const firstRows = 16;
const noMembers = new Int32Array(0);

export class ActionProfileState {
  readonly name: string;
  /** Words of action data per row. */
  readonly stride: number;
  readonly dataPlan: DataPlan;
  private readonly diagnostic: (what: string) => void;

  /** Per row. Generated code reads these; the arrays are replaced when they grow. */
  action = new Int32Array(firstRows).fill(noAction);
  data: Uint32Array<ArrayBuffer>;

  /** Rows of the active members, by group handle. */
  private readonly groups: (Int32Array | undefined)[] = [];

  constructor(name: string, stride: number, dataPlan: DataPlan, diagnostic: (what: string) => void) {
    this.name = name;
    this.stride = stride;
    this.dataPlan = dataPlan;
    this.diagnostic = diagnostic;
    this.data = new Uint32Array(firstRows * stride);
  }

  /** Creates the member, or gives it another action. */
  setMember(handle: number, action: number, data: readonly bigint[]): void {
    const row = handle + 1;
    this.reserve(row);
    const parameters = this.dataPlan.get(action);
    if (parameters === undefined || parameters.length !== data.length)
      throw new Error(`broken promise: ${this.name} has an action ${action} with ${data.length} parameters`);
    this.action[row] = action;
    storeData(this.data, row * this.stride, parameters, data);
  }

  deleteMember(handle: number): void {
    this.action[handle + 1] = noAction;
  }

  /** @param activeMembers  handles in any order; none at all when `undefined` deletes the group */
  setGroup(handle: number, activeMembers: readonly number[] | undefined): void {
    this.groups[handle] =
      activeMembers === undefined ? undefined : Int32Array.from(activeMembers, (member) => member + 1).sort();
  }

  /** The row a hash (32 bits, unsigned) leads to; 0 with a diagnostic when no member is active. */
  choose(group: number, hash: number): number {
    const rows = this.groups[group] ?? noMembers;
    if (rows.length > 0) return rows[hash % rows.length]!;
    this.diagnostic(`${this.name}: a packet met a group without active members, and nothing was done`);
    return 0;
  }

  private reserve(row: number): void {
    if (row < this.action.length) return;
    let rows = this.action.length;
    while (rows <= row) rows *= 2;
    const action = new Int32Array(rows).fill(noAction);
    action.set(this.action);
    this.action = action;
    const data = new Uint32Array(rows * this.stride);
    data.set(this.data);
    this.data = data;
  }
}
