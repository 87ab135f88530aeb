// SPDX-License-Identifier: Apache-2.0
/** The objects of a loaded program as both sides know them: by P4Info id, and by what the pipeline calls them. */

import type {
  Action,
  ActionProfile,
  CounterArray,
  LearnList,
  MeterArray,
  RegisterArray,
  Table,
  ValueSet,
} from '../engine/program.ts';
import type { TrapName } from './traps.ts';

export type MatchKind = 'exact' | 'lpm' | 'ternary' | 'range' | 'optional';

export interface BoundField {
  id: number;
  name: string;
  kind: MatchKind;
  width: number;
  /** Where the P4Info lists it; keys are kept in this order. */
  index: number;
  /** Where the pipeline expects it. */
  position: number;
}

export interface BoundParameter {
  id: number;
  name: string;
  width: number;
  /** Where the pipeline expects it. */
  position: number;
}

export interface BoundAction {
  /** Of the P4Info. */
  id: number;
  name: string;
  /** In table entries, as default action, or both. */
  scope: 'both' | 'entries' | 'default';
  parameters: readonly BoundParameter[];
  action: Action;
}

export interface BoundTable {
  id: number;
  name: string;
  fields: readonly BoundField[];
  fieldById: ReadonlyMap<number, BoundField>;
  actionById: ReadonlyMap<number, BoundAction>;
  actionByProgramId: ReadonlyMap<number, BoundAction>;
  /** Ternary, range or optional keys: entries need a priority. */
  isPrioritised: boolean;
  /** Its entries are those of the program. */
  isConst: boolean;
  /** The program gives it entries that are not const in P4, though this target cannot change them. */
  hasInitialEntries: boolean;
  isDefaultConst: boolean;
  supportsTimeout: boolean;
  /** Unit of its direct counter; undefined without one. */
  counterUnit: CounterUnit | undefined;
  /** Its entries then name members and groups. */
  profile: BoundProfile | undefined;
  hasMeter: boolean;
  table: Table;
}

export interface BoundProfile {
  id: number;
  name: string;
  /** Those that all its tables have; `action` is the pipeline's for the profile. */
  actionById: ReadonlyMap<number, BoundAction>;
  hasSelector: boolean;
  /** Members, and also what `sizeCounts` says, added up over all groups. */
  sizeMax: number;
  sizeCounts: 'weights' | 'members';
  /** 0: no limit. */
  groupSizeMax: number;
  isUnweighted: boolean;
  profile: ActionProfile;
}

export interface BoundMeter {
  id: number;
  name: string;
  meter: MeterArray;
}

export interface BoundRegister {
  id: number;
  name: string;
  /** How a cell is written in P4Data. */
  shape: 'bit' | 'int' | 'bool';
  register: RegisterArray;
}

export interface BoundValueSet {
  id: number;
  name: string;
  sizeMax: number;
  /** In the order in which the pipeline puts them side by side. */
  fields: readonly { id: number; width: number }[];
  set: ValueSet;
}

export interface CounterUnit {
  packets: boolean;
  bytes: boolean;
}

export interface BoundCounter {
  id: number;
  name: string;
  unit: CounterUnit;
  counter: CounterArray;
}

export interface BoundDigest {
  id: number;
  name: string;
  shape: 'struct' | 'tuple' | 'bitstring';
  /** What its samples look like. */
  list: LearnList;
  /** One for each place of the program that asks for the digest; all look like `list`. */
  lists: readonly LearnList[];
}

/** The header between a packet and the controller. Fields lie in order, without gaps, most significant bit first. */
export interface PacketHeader {
  fields: readonly PacketField[];
  /** Whole bytes; the last bits may be padding. */
  bytes: number;
}

export interface PacketField {
  id: number;
  name: string;
  width: number;
  /** Carries nothing: a controller may leave it out. */
  isPadding: boolean;
}

export interface Binding {
  tables: ReadonlyMap<number, BoundTable>;
  /** Tables by the pipeline's id. */
  tableByProgramId: ReadonlyMap<number, BoundTable>;
  profiles: ReadonlyMap<number, BoundProfile>;
  counters: ReadonlyMap<number, BoundCounter>;
  /** Without direct ones. */
  meters: ReadonlyMap<number, BoundMeter>;
  registers: ReadonlyMap<number, BoundRegister>;
  valueSets: ReadonlyMap<number, BoundValueSet>;
  digests: ReadonlyMap<number, BoundDigest>;
  /** Digests by the pipeline's learn list. */
  digestByList: ReadonlyMap<number, BoundDigest>;
  packetIn: PacketHeader | undefined;
  packetOut: PacketHeader | undefined;
  /** What does not work on simple_switch_grpc. */
  traps: readonly FoundTrap[];
}

/** A construct of the program that is a trap. */
export interface FoundTrap {
  name: TrapName;
  where: string;
}
