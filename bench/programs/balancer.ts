// SPDX-License-Identifier: Apache-2.0
/** Our load balancer with one pool, every slot stable: each packet finds its slot, its backend, and is routed there. */

import type { EntryInput } from '../../p4runtime/entries.ts';
import { parseIpv4, parseMac } from '../../wire/address.ts';
import { sinkPort } from '../traffic/ports.ts';
import { type BenchProgram, flowCount, insertsOf, readProgram } from './program.ts';

export interface BalancerSize {
  slots: number;
  backends: number;
}

export const balancerDefaults: Readonly<BalancerSize> = { slots: 4_096, backends: 100 };

export const pool = 1;
const vip = { address: parseIpv4('10.0.1.100'), port: 80, protocol: 6 };
const backendPort = 8080;
const client = { address: parseIpv4('10.0.3.0'), mac: parseMac('02:00:00:00:00:01') };
const switchMac = parseMac('02:00:00:00:01:01');
const backendMacs = parseMac('02:00:00:01:00:00');
const ethernetTtl = { at: 14 + 8, sent: 64 };

export const backendAddress = (backend: number) => parseIpv4('10.0.2.0') + backend;

export function balancer({ slots, backends }: BalancerSize = balancerDefaults): BenchProgram {
  const program = readProgram('p4/build/evenkeel');
  return {
    name: `load balancer, ${backends} backends, ${slots} slots`,
    ...program,
    updates: insertsOf(program.p4info, balancerEntries({ slots, backends })),
    flows: (frameBytes) => ({
      count: flowCount,
      frameBytes,
      sourceMac: client.mac,
      targetMac: switchMac,
      sourceAddress: client.address,
      sourcePort: 1024,
      targetAddresses: [vip.address],
      targetPort: vip.port,
    }),
    isForwarded(frame) {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      const mac = view.getUint16(0) * 2 ** 32 + view.getUint32(2);
      const backend = mac - backendMacs;
      const isBackend = backend >= 1 && backend <= backends && view.getUint32(30) === backendAddress(backend);
      return (
        isBackend && view.getUint16(36) === backendPort && frame[ethernetTtl.at] === ethernetTtl.sent - 1
      );
    },
  };
}

/** Every slot is unstable, and no filter slot knows any flow: each packet takes base and asks to be pinned, by a digest. */
export function unknownFlows(): BenchProgram {
  const program = balancer();
  return {
    ...program,
    updates: insertsOf(program.p4info, balancerEntries(balancerDefaults).map(madeUnstable)),
  };
}

/** The row of a slot as a change under way has it; other rows as they are. */
export function madeUnstable(entry: EntryInput): EntryInput {
  if (entry.table !== 'slot') return entry;
  return {
    ...entry,
    action: { name: 'set_slot', params: { ...entry.action!.params, unstable: 1, pin_base: 1 } },
  };
}

export function balancerEntries({ slots, backends }: BalancerSize): EntryInput[] {
  const entries: EntryInput[] = [
    {
      table: 'vip',
      match: vip,
      action: {
        name: 'serve',
        params: { pool, slot_mask: slots - 1, affinity: 0, hint: 0, on_dead: 0, by_prefix: 0 },
      },
    },
    ...[vip.address & 0xffffff00, backendAddress(0), client.address].map((network) => ({
      table: 'route',
      match: { prefix: { value: network, prefixLength: 24 } },
      action: { name: 'on_link' },
    })),
  ];
  for (let backend = 1; backend <= backends; backend++) {
    const address = backendAddress(backend);
    const params = { port: sinkPort, source_mac: switchMac, target_mac: backendMacs + backend, mtu: 1500 };
    entries.push(
      {
        table: 'backend',
        match: { backend },
        action: { name: 'nat', params: { address, port: backendPort } },
      },
      { table: 'neighbour', match: { address }, action: { name: 'to_neighbour', params } },
      {
        table: 'return_path',
        match: { address, protocol: vip.protocol, port: backendPort },
        action: { name: 'as_vip', params: { address: vip.address, port: vip.port } },
      },
    );
  }
  for (let slot = 0; slot < slots; slot++) {
    const params = { unstable: 0, pin_base: 0, backend: 1 + (slot % backends) };
    entries.push({ table: 'slot', match: { pool, slot }, action: { name: 'set_slot', params } });
  }
  return entries;
}
