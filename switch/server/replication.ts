// SPDX-License-Identifier: Apache-2.0
/** Multicast groups and clone sessions: the copies a packet replication engine makes. */

import { create } from '@bufbuild/protobuf';
import type {
  CloneSessionEntry,
  MulticastGroupEntry,
  PacketReplicationEngineEntry,
  Replica as ReplicaMessage,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  PacketReplicationEngineEntrySchema,
  Update_Type,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { Replica } from '../engine/pipeline.ts';
import { type Batch, put } from './batch.ts';
import type { Rules } from './compat.ts';
import type { HostOperation } from './host.ts';
import { Code, invalid, Refusal, unimplemented } from './refusal.ts';

export const replicationLimits = {
  /** Higher ids are where simple_switch_grpc keeps its clone sessions. */
  idMax: 32_767,
  /** As simple_switch_grpc's --max-mc-groups; of groups and of sessions. */
  entriesMax: 4096,
  /** In one group or session. */
  replicasMax: 512,
  portMax: 511,
} as const;

export class Replication {
  readonly #rules: Rules;
  readonly #groups = new Map<number, MulticastGroupEntry>();
  readonly #sessions = new Map<number, CloneSessionEntry>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** @throws Refusal; then nothing has changed */
  write(type: Update_Type, { type: entry }: PacketReplicationEngineEntry, batch: Batch): void {
    switch (entry.case) {
      case 'multicastGroupEntry': {
        const { multicastGroupId: group, metadata } = entry.value;
        if (group === 0) throw invalid('multicast group 0 does not exist');
        if (group > replicationLimits.idMax) {
          throw new Refusal(
            Code.OUT_OF_RANGE,
            `multicast group ${group} is above ${replicationLimits.idMax}`,
          );
        }
        if (metadata.length > 0) this.#rules.allow('multicast-metadata', 'metadata of multicast groups');
        const isForgetful = this.#rules.answer('multicast-metadata') === 'lost';
        const kept = isForgetful ? { ...entry.value, metadata: new Uint8Array() } : entry.value;
        const replicas = this.#change(this.#groups, type, group, kept, `multicast group ${group}`, batch);
        batch.push({ kind: 'multicast-group', group, replicas });
        break;
      }
      case 'cloneSessionEntry': {
        const { sessionId: session, classOfService, packetLengthBytes } = entry.value;
        if (session === 0 || session > replicationLimits.idMax) {
          throw invalid(`clone session ${session}: ids are 1 to ${replicationLimits.idMax}`);
        }
        if (classOfService !== 0) throw unimplemented('class_of_service of clone sessions');
        if (packetLengthBytes !== 0) {
          throw this.#rules.refusal('clone-length', 'clones cannot be cut short');
        }
        const replicas = this.#change(
          this.#sessions,
          type,
          session,
          entry.value,
          `clone session ${session}`,
          batch,
        );
        batch.push({ kind: 'clone-session', session, replicas });
        break;
      }
      default:
        throw invalid('the replication entry is empty');
    }
  }

  /** Id 0 stands for all. @throws Refusal NOT_FOUND */
  read({ type: wanted }: PacketReplicationEngineEntry): PacketReplicationEngineEntry[] {
    switch (wanted.case) {
      case 'multicastGroupEntry': {
        const { multicastGroupId: id } = wanted.value;
        return find(this.#groups, id, 'multicast group').map((value) =>
          entryOf({ case: wanted.case, value }),
        );
      }
      case 'cloneSessionEntry': {
        const { sessionId: id } = wanted.value;
        return find(this.#sessions, id, 'clone session').map((value) =>
          entryOf({ case: wanted.case, value }),
        );
      }
      default:
        throw invalid('the replication entry is empty');
    }
  }

  /** Adds what a fresh pipeline must be told to have all this. */
  tellAll(operations: HostOperation[]): void {
    for (const [group, { replicas }] of this.#groups) {
      const copies = this.#readReplicas(replicas, `multicast group ${group}`);
      operations.push({ kind: 'multicast-group', group, replicas: withinPorts(copies) });
    }
    for (const [session, { replicas }] of this.#sessions) {
      const copies = this.#readReplicas(replicas, `clone session ${session}`);
      operations.push({ kind: 'clone-session', session, replicas: withinPorts(copies) });
    }
  }

  /** Takes over what another program had, when this one is fresh. */
  adopt(before: Replication): void {
    for (const [id, group] of before.#groups) this.#groups.set(id, group);
    for (const [id, session] of before.#sessions) this.#sessions.set(id, session);
  }

  /** @returns the replicas from now on; none after a DELETE */
  #change<Entry extends MulticastGroupEntry | CloneSessionEntry>(
    entries: Map<number, Entry>,
    type: Update_Type,
    id: number,
    entry: Entry,
    what: string,
    batch: Batch,
  ): Replica[] {
    const exists = entries.has(id);
    if (type === Update_Type.INSERT && exists) throw new Refusal(Code.ALREADY_EXISTS, `${what} exists`);
    if (type !== Update_Type.INSERT && !exists) throw new Refusal(Code.NOT_FOUND, `${what} does not exist`);
    if (type === Update_Type.DELETE) {
      put(batch, entries, id, undefined);
      return [];
    }
    const replicas = this.#readReplicas(entry.replicas, what);
    if (!exists && entries.size >= replicationLimits.entriesMax) {
      throw new Refusal(
        Code.RESOURCE_EXHAUSTED,
        `${what}: there are ${replicationLimits.entriesMax} already`,
      );
    }
    put(batch, entries, id, entry as Exclude<Entry, undefined>);
    return withinPorts(replicas);
  }

  #readReplicas(messages: readonly ReplicaMessage[], what: string): Replica[] {
    if (messages.length > replicationLimits.replicasMax) {
      const most = replicationLimits.replicasMax;
      throw new Refusal(Code.RESOURCE_EXHAUSTED, `${what}: more than ${most} replicas`);
    }
    const seen = new Set<string>();
    return messages.map((message) => {
      if (message.backupReplicas.length > 0) throw unimplemented('backup replicas');
      const replica = { port: this.#readPort(message, what), instance: message.instance };
      const text = `port ${replica.port}, instance ${replica.instance}`;
      if (seen.has(text)) throw invalid(`${what}: ${text} is given twice`);
      seen.add(text);
      return replica;
    });
  }

  #readPort({ portKind }: ReplicaMessage, what: string): number {
    let port: number;
    switch (portKind.case) {
      case 'egressPort':
        port = portKind.value;
        break;
      case 'port':
        if (portKind.value.length > 4) throw unimplemented(`${what}: a port of more than 4 bytes`);
        port = portKind.value.reduce((value, byte) => value * 256 + byte, 0);
        // simple_switch_grpc takes it for "no port".
        if (port === 0) {
          this.#rules.allow('replica-port-zero', `${what}: port 0 must be given as egress_port`);
        }
        break;
      default:
        throw invalid(`${what}: a replica without port`);
    }
    if (port > replicationLimits.portMax) {
      this.#rules.allow('replica-port-beyond', `${what}: port ${port} is above ${replicationLimits.portMax}`);
    }
    return port;
  }
}

/** What simple_switch_grpc accepts beyond the ports there are gets no copy. */
function withinPorts(replicas: readonly Replica[]): Replica[] {
  return replicas.filter(({ port }) => port <= replicationLimits.portMax);
}

function find<Entry>(entries: ReadonlyMap<number, Entry>, id: number, what: string): Entry[] {
  if (id === 0) return [...entries.values()];
  const entry = entries.get(id);
  if (entry === undefined) throw new Refusal(Code.NOT_FOUND, `${what} ${id} does not exist`);
  return [entry];
}

function entryOf(type: PacketReplicationEngineEntry['type']): PacketReplicationEngineEntry {
  return create(PacketReplicationEngineEntrySchema, { type });
}
