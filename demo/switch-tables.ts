// SPDX-License-Identifier: Apache-2.0
/** What the switch itself says, read past the controller: a witness that does not believe the accused. */

import { flowHash } from '../controller/core/flow-hash.ts';
import { P4RuntimeClient } from '../p4runtime/client.ts';
import { type Entry, EntryCodec } from '../p4runtime/entries.ts';
import type { Entity } from '../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../p4runtime/p4info.ts';
import { parseIpv4 } from '../wire/address.ts';
import { protocols } from '../wire/ipv4.ts';
import { vip } from './layout.ts';

export interface PinnedFlow {
  sourceAddress: number;
  sourcePort: number;
  backend: number;
  slot: number;
  /** Of the flow's slot. */
  slotBackend: number;
}

export interface SwitchTables {
  slots: number;
  /** Rows of table slot, or slot_prefix. */
  slotRows: number;
  /** Slots by the id of their backend. */
  owned: ReadonlyMap<number, number>;
  unstableSlots: number;
  isUnstable(sourceAddress: number, sourcePort: number): boolean;
  slotVersions: number;
  pins: PinnedFlow[];
  /** Packets at unstable slots so far: those that asked a filter, found one, or fell to base. */
  unstablePackets: number;
}

/** DECISION_FILTER, DECISION_BASE, DECISION_NEW of p4/core/types.p4. */
const unstableDecisions: readonly number[] = [2, 3, 4];

const connectTimeoutMs = 30_000;
const slotBits = 16;

/** Reads only, so it need not be primary, and stays behind every controller. @throws P4RuntimeError */
export async function readSwitchTables(address: string, deviceId: number): Promise<SwitchTables> {
  const client = new P4RuntimeClient({
    address,
    deviceId: BigInt(deviceId),
    electionId: 1n,
    takesOver: false,
  });
  try {
    await connected(client);
    const pipeline = await client.getPipeline();
    if (pipeline?.p4info === undefined) throw new Error('the switch has no program');
    const index = new P4InfoIndex(pipeline.p4info);
    const codec = new EntryCodec(index);
    const table = async (name: string) => readAll(client, codec, codec.all(name));

    const vips = await table('vip');
    const slotMask = Number(vips[0]?.action?.params.slot_mask ?? 0);
    const slots = new Map<number, { unstable: boolean; backend: number }>();
    const take = (slot: number, { action }: Entry): void => {
      const { unstable, backend } = action!.params;
      slots.set(slot, { unstable: Number(unstable) === 1, backend: Number(backend) });
    };
    const isByPrefix = Number(vips[0]?.action?.params.by_prefix ?? 0) === 1;
    const rows = isByPrefix ? [] : await table('slot');
    for (const entry of rows) take(Number(entry.match.slot), entry);
    const prefixes = isByPrefix ? (await table('slot_prefix')).map(prefixOf) : [];
    // Those with longer prefixes come last, and win.
    for (const { entry, slot, bits } of prefixes.sort((a, b) => a.bits - b.bits)) {
      const end = Math.min(slot + (1 << (slotBits - bits)), slotMask + 1);
      for (let each = slot; each < end; each++) take(each, entry);
    }
    const columns = await table(isByPrefix ? 'slot_version_prefix' : 'slot_version');
    const pins = (await table('pin')).map(({ match, action }): PinnedFlow => {
      const sourceAddress = Number(match.source_address);
      const sourcePort = Number(match.source_port);
      const { slot } = flowHash(vipFlow(sourceAddress, sourcePort), slotMask);
      const slotBackend = slots.get(slot)?.backend ?? 0;
      return { sourceAddress, sourcePort, backend: Number(action!.params.backend), slot, slotBackend };
    });
    const owned = new Map<number, number>();
    for (const { backend } of slots.values()) owned.set(backend, (owned.get(backend) ?? 0) + 1);
    return {
      slots: slots.size,
      owned,
      unstableSlots: [...slots.values()].filter(({ unstable }) => unstable).length,
      isUnstable(sourceAddress, sourcePort) {
        return slots.get(flowHash(vipFlow(sourceAddress, sourcePort), slotMask).slot)?.unstable ?? false;
      },
      slotRows: rows.length + prefixes.length,
      slotVersions: columns.length,
      pins,
      unstablePackets: await countPackets(
        client,
        index.counters.get('decisions.cells').id,
        unstableDecisions,
      ),
    };
  } finally {
    client.close();
  }
}

function prefixOf(entry: Entry): { entry: Entry; slot: number; bits: number } {
  // A prefix of no bits is a field left out.
  const field = entry.match.slot;
  if (typeof field !== 'object' || !('prefixLength' in field)) return { entry, slot: 0, bits: 0 };
  return { entry, slot: Number(field.value), bits: field.prefixLength };
}

function connected(client: P4RuntimeClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the switch does not answer')), connectTimeoutMs);
    client.onEvent(({ kind }) => {
      if (kind !== 'mastership') return;
      clearTimeout(timer);
      resolve();
    });
    client.connect();
  });
}

function vipFlow(sourceAddress: number, sourcePort: number) {
  const targetAddress = parseIpv4(vip.address);
  return { sourceAddress, targetAddress, protocol: protocols.tcp, sourcePort, targetPort: vip.port };
}

async function readAll(client: P4RuntimeClient, codec: EntryCodec, pattern: Entity): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const { entity } of client.read([pattern])) {
    if (entity.case === 'tableEntry' && !entity.value.isDefaultAction)
      entries.push(codec.decode(entity.value));
  }
  return entries;
}

async function countPackets(
  client: P4RuntimeClient,
  counterId: number,
  cells: readonly number[],
): Promise<number> {
  const patterns = cells.map((cell): Entity => {
    const index = { $typeName: 'p4.v1.Index', index: BigInt(cell) } as const;
    const value = { $typeName: 'p4.v1.CounterEntry', counterId, index } as const;
    return { $typeName: 'p4.v1.Entity', entity: { case: 'counterEntry', value } };
  });
  let packets = 0n;
  for await (const { entity } of client.read(patterns)) {
    if (entity.case === 'counterEntry') packets += entity.value.data?.packetCount ?? 0n;
  }
  return Number(packets);
}
