// SPDX-License-Identifier: Apache-2.0
/** router.p4 with routes of several prefix lengths; every flow has a target of its own. */

import type { EntryInput } from '../../p4runtime/entries.ts';
import { parseIpv4, parseMac } from '../../wire/address.ts';
import { sinkPort } from '../traffic/ports.ts';
import { type BenchProgram, flowCount, insertsOf, readProgram } from './program.ts';

export const routerDefaults = { routes: 1_000 } as const;

const switchMac = parseMac('02:00:00:00:01:01');
const nextHopMac = parseMac('02:00:00:01:00:01');
const prefixLengths = [24, 20, 16];
const firstNetwork = parseIpv4('20.0.0.0');
/** Networks lie this far apart, so that a /16 holds no other. */
const networkStep = 2 ** 16;

export function router(routes: number = routerDefaults.routes): BenchProgram {
  const program = readProgram('bench/programs/router');
  return {
    name: `router, ${routes} routes`,
    ...program,
    updates: insertsOf(program.p4info, routerEntries(routes)),
    flows: (frameBytes) => ({
      count: flowCount,
      frameBytes,
      sourceMac: parseMac('02:00:00:00:00:01'),
      targetMac: switchMac,
      sourceAddress: parseIpv4('10.0.3.0'),
      sourcePort: 1024,
      targetAddresses: Array.from({ length: flowCount }, (_, flow) => networkOf(flow % routes) + 1),
      targetPort: 80,
    }),
    isForwarded(frame) {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      return view.getUint16(0) * 2 ** 32 + view.getUint32(2) === nextHopMac && frame[22] === 63;
    },
  };
}

export function routerEntries(routes: number): EntryInput[] {
  return Array.from({ length: routes }, (_, route) => ({
    table: 'route',
    match: {
      prefix: { value: networkOf(route), prefixLength: prefixLengths[route % prefixLengths.length]! },
    },
    action: { name: 'via', params: { port: sinkPort, source_mac: switchMac, target_mac: nextHopMac } },
  }));
}

function networkOf(route: number): number {
  return firstNetwork + route * networkStep;
}
