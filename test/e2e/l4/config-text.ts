// SPDX-License-Identifier: Apache-2.0
/** The layout as a configuration of the controller. JSON is YAML. */
import {
  client,
  guePort,
  interfaces,
  isTranslated,
  natPorts,
  router,
  servers,
  tunnel,
  type Vip,
} from './layout.ts';

export interface Wish {
  vips: readonly Vip[];
  /** Names of servers; left out: all are active. */
  states?: Readonly<Record<string, 'active' | 'draining' | 'down' | 'absent'>>;
}

const slots = 512;
const serverIdOctets = {
  'quic-lb': 3,
  'katran-v1': 2,
  'katran-v2': 3,
  'katran-v3': 4,
  tcp_option: 4,
} as const;
/** A connection that idles for longer may be forgotten; none in these tests does. */
const sessionTimeout = '30s';

export function configText({ vips, states = {} }: Wish, switchAddress: string): string {
  const present = servers.filter(({ name }) => states[name] !== 'absent');
  return JSON.stringify({
    switch: { address: switchAddress },
    controller: {
      // A change is to be over before the connections that it concerns are.
      timers: {
        rotation: '1s',
        quarantine: '1s',
        merge_margin: '300ms',
        stale_digest: '2s',
        closing_timeout: '2s',
      },
    },
    network: {
      interfaces,
      routes: [
        { prefix: client.network, next_hop: router.address },
        { prefix: client.network6, next_hop: router.address6 },
      ],
      tunnel,
    },
    vips: vips.map((vip) => ({
      name: vip.name,
      address: vip.address,
      protocol: vip.protocol,
      port: vip.port,
      forwarding: vip.forwarding,
      ...(vip.forwarding === 'gue' && { gue_port: guePort }),
      slots,
      session_timeout: sessionTimeout,
      ...vip.more,
      backends: present.map(({ name, address, address6 }) => ({
        name,
        address: vip.via === 'ipv6' ? address6 : address,
        ...(isTranslated(vip) && { port: backendPortOf(vip) }),
        state: states[name] ?? 'active',
        ...serverIdOf(vip, name),
      })),
    })),
  });
}

function backendPortOf({ backendPort, protocol, port }: Vip): number {
  return backendPort ?? (protocol === 'udp' ? port : natPorts[0]!);
}

/** s1 is server 1, where packets name their server. */
function serverIdOf(vip: Vip, name: string): { server_id?: string } {
  return (vip.more?.hint ?? 'none') === 'none' ? {} : { server_id: serverIdText(vip, name) };
}

/** In hexadecimal digits, two an octet: as many as its place in the packet has. */
export function serverIdText({ more }: Vip, name: string): string {
  const { layout } = (more?.quic ?? { layout: 'tcp_option' }) as { layout: keyof typeof serverIdOctets };
  return name.slice(1).padStart(2 * serverIdOctets[layout], '0');
}
