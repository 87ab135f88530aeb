// SPDX-License-Identifier: Apache-2.0
/** A program in force, and everything that has been written since it was. */

import type { ForwardingPipelineConfig } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { ActionProfileState } from './action-profile.ts';
import type { Binding } from './binding.ts';
import type { DigestQueue } from './digest-queue.ts';
import { IdleWatch } from './idle-watch.ts';
import type { MeterConfigs } from './meters.ts';
import { invalid } from './refusal.ts';
import { Replication } from './replication.ts';
import { TableState } from './table-state.ts';

export interface Loaded {
  config: ForwardingPipelineConfig;
  binding: Binding;
  /** The host's number of it. */
  generation: number;
  /** By P4Info id. */
  tables: ReadonlyMap<number, TableState>;
  tableByProgramId: ReadonlyMap<number, TableState>;
  /** By P4Info id. */
  profiles: ReadonlyMap<number, ActionProfileState>;
  /** By P4Info id. */
  meters: ReadonlyMap<number, MeterConfigs>;
  /** By P4Info id. */
  digests: Map<number, DigestQueue>;
  idleWatch: IdleWatch;
  replication: Replication;
  /** `apply` calls so far. */
  batch: number;
}

/** With the entries and defaults of the program, and nothing else. */
export function freshlyLoaded(
  config: ForwardingPipelineConfig,
  binding: Binding,
  generation: number,
  isPortUp: (port: number) => boolean,
): Loaded {
  const profiles = new Map(
    [...binding.profiles].map(([id, bound]) => [id, new ActionProfileState(bound, isPortUp)]),
  );
  const tables = new Map(
    [...binding.tables].map(([id, bound]) => [
      id,
      new TableState(bound, bound.profile && profiles.get(bound.profile.id)),
    ]),
  );
  return {
    config,
    binding,
    generation,
    tables,
    tableByProgramId: new Map([...tables.values()].map((table) => [table.bound.table.id, table])),
    profiles,
    meters: new Map([...binding.meters.keys()].map((id) => [id, new Map()])),
    digests: new Map(),
    idleWatch: new IdleWatch(),
    replication: new Replication(),
    batch: 0,
  };
}

/** @throws Refusal INVALID_ARGUMENT */
export function tableOf({ tables }: Loaded, tableId: number): TableState {
  const table = tables.get(tableId);
  if (table === undefined) throw invalid(`Invalid P4 id: there is no table ${tableId}`);
  return table;
}

/** @throws Refusal INVALID_ARGUMENT */
export function profileOf({ profiles }: Loaded, profileId: number): ActionProfileState {
  const profile = profiles.get(profileId);
  if (profile === undefined) throw invalid(`Invalid P4 id: there is no action profile ${profileId}`);
  return profile;
}
