// SPDX-License-Identifier: Apache-2.0
/** A program, in force or saved, and everything that has been written since it was pushed. */

import type { ForwardingPipelineConfig } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { ActionProfileState } from './action-profile.ts';
import type { Binding } from './bound.ts';
import type { Rules } from './compat.ts';
import type { DigestQueue } from './digest-queue.ts';
import type { HostOperation, PipelineAccess } from './host.ts';
import { IdleWatch } from './idle-watch.ts';
import type { MeterConfigs } from './meters.ts';
import { ratesOf } from './meters.ts';
import { invalid } from './refusal.ts';
import { Replication } from './replication.ts';
import { TableState } from './table-state.ts';
import type { TrapLog } from './trap-log.ts';

export interface Loaded {
  config: ForwardingPipelineConfig;
  binding: Binding;
  rules: Rules;
  traps: TrapLog;
  isPortUp: (port: number) => boolean;
  /** Where its counters and registers are; changes when a saved program comes into force. */
  access: PipelineAccess;
  /** The host's number of it; undefined while it is only saved. */
  generation: number | undefined;
  /** By P4Info id. */
  tables: ReadonlyMap<number, TableState>;
  tableByProgramId: ReadonlyMap<number, TableState>;
  /** By P4Info id. */
  profiles: ReadonlyMap<number, ActionProfileState>;
  /** By P4Info id. */
  meters: ReadonlyMap<number, MeterConfigs>;
  /** Members by P4Info id; a set nobody has written is not here, and empty. */
  valueSets: Map<number, readonly bigint[]>;
  /** By P4Info id. */
  digests: Map<number, DigestQueue>;
  idleWatch: IdleWatch;
  replication: Replication;
  /** `apply` calls so far. */
  batch: number;
}

/** With the entries and defaults of the program, and nothing else. */
export function freshlyLoaded(
  parts: Pick<Loaded, 'config' | 'binding' | 'rules' | 'traps' | 'access'>,
  isPortUp: (port: number) => boolean,
): Loaded {
  const { binding, rules } = parts;
  const profiles = new Map(
    [...binding.profiles].map(([id, bound]) => [id, new ActionProfileState(bound, rules, isPortUp)]),
  );
  const tables = new Map(
    [...binding.tables].map(([id, bound]) => [
      id,
      new TableState(bound, rules, bound.profile && profiles.get(bound.profile.id)),
    ]),
  );
  return {
    ...parts,
    isPortUp,
    generation: undefined,
    tables,
    tableByProgramId: new Map([...tables.values()].map((table) => [table.bound.table.id, table])),
    profiles,
    meters: new Map([...binding.meters.keys()].map((id) => [id, new Map()])),
    valueSets: new Map(),
    digests: new Map(),
    idleWatch: new IdleWatch(),
    replication: new Replication(rules),
    batch: 0,
  };
}

/** What a fresh pipeline of this program must be told to be as the state of record, counters and registers apart. */
export function operationsOf({
  binding,
  rules,
  profiles,
  tables,
  meters,
  valueSets,
  replication,
}: Loaded): HostOperation[] {
  const operations: HostOperation[] = [];
  for (const profile of profiles.values()) profile.tellAll(operations);
  for (const table of tables.values()) table.tellAll(operations);
  for (const [id, configs] of meters) {
    const meter = binding.meters.get(id)!.meter.id;
    for (const [index, config] of configs) {
      operations.push({ kind: 'write-meter', meter, index, rates: ratesOf(rules, config) });
    }
  }
  for (const [id, members] of valueSets) {
    operations.push({ kind: 'value-set', set: binding.valueSets.get(id)!.set.id, members });
  }
  replication.tellAll(operations);
  return operations;
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
