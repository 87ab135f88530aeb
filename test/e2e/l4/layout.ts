// SPDX-License-Identifier: Apache-2.0
/**
 * Who is where.
 *
 *   client ── router ── port 1 ─┐         ┌─ port 2 ── s1 ──┐
 *               │               ├─ switch ┼─ port 3 ── s2 ──┤
 *               │                         └─ port 4 ── s3 ──┤
 *               └────────────── back ───────────────────────┘
 *
 * Servers that a vip's packets reach untranslated answer by the network `back`, past the switch.
 */

export const client = {
  /** The second is where it moves to. */
  addresses: ['192.0.2.10', '192.0.2.20'],
  addresses6: ['2001:db8:c::10', '2001:db8:c::20'],
  gateway: '192.0.2.1',
  gateway6: '2001:db8:c::1',
  network: '192.0.2.0/24',
  network6: '2001:db8:c::/64',
} as const;

export const router = {
  port: 1,
  address: '10.0.1.254',
  address6: 'fd00:1::254',
  linkLocal: 'fe80::254',
  back: '10.99.0.254',
  back6: 'fd00:99::254',
} as const;

export interface Server {
  name: string;
  /** Of the switch. */
  port: number;
  address: string;
  address6: string;
  gateway: string;
  gateway6: string;
  back: string;
  back6: string;
}

export const servers: readonly Server[] = [1, 2, 3].map((number) => {
  const port = 1 + number;
  return {
    name: `s${number}`,
    port,
    address: `10.0.${port}.11`,
    address6: `fd00:${port}::11`,
    gateway: `10.0.${port}.1`,
    gateway6: `fd00:${port}::1`,
    back: `10.99.0.${number}`,
    back6: `fd00:99::${number}`,
  };
});

/** Of the switch towards each port. */
export const interfaces = [
  { port: router.port, address: '10.0.1.1/24' },
  { port: router.port, address: 'fd00:1::1/64' },
  ...servers.flatMap(({ port, gateway, gateway6 }) => [
    { port, address: `${gateway}/24` },
    { port, address: `${gateway6}/64` },
  ]),
] as const;

export const tunnel = { ipv4: '10.9.0.0/16', ipv6: 'fd00:9::/112' } as const;
export const guePort = 6080;
export const webPort = 80;
/** Where servers listen that packets are translated for: each pool by another port, since they share the servers. */
export const natPorts: readonly number[] = Array.from({ length: 10 }, (_, i) => 8080 + i);
export const udpPort = 53;

/** Vips whose packets arrive as they are: servers have them as their own, and answer by `back`. */
export const untranslated = { network: '10.0.1.128/25', network6: 'fd00:1::1:0/112' } as const;

export type Forwarding = 'nat' | 'l2_dsr' | 'ipip' | 'gre' | 'gue';
export type Family = 'ipv4' | 'ipv6';

export interface Vip {
  name: string;
  address: string;
  protocol: 'tcp' | 'udp';
  port: number;
  forwarding: Forwarding;
  /** Of the backends. */
  via: Family;
  /** Where packets are translated; left out: the first of `natPorts`, for UDP the vip's. */
  backendPort?: number;
  /** Further keys of the configuration. */
  more?: Readonly<Record<string, unknown>>;
}

const web = { protocol: 'tcp', port: webPort } as const;

/** Every forwarding mode by every pair of families that it can have. */
export const forwardingVips: readonly Vip[] = [
  { ...web, name: 'nat-4', address: '10.0.1.100', forwarding: 'nat', via: 'ipv4' },
  { ...web, name: 'nat-6', address: 'fd00:1::100', forwarding: 'nat', via: 'ipv6' },
  { ...web, name: 'dsr-4', address: '10.0.1.130', forwarding: 'l2_dsr', via: 'ipv4' },
  { ...web, name: 'dsr-6', address: 'fd00:1::1:30', forwarding: 'l2_dsr', via: 'ipv6' },
  ...(['ipip', 'gre', 'gue'] as const).flatMap((forwarding, i): Vip[] => [
    { ...web, name: `${forwarding}-4-in-4`, address: `10.0.1.14${i}`, forwarding, via: 'ipv4' },
    { ...web, name: `${forwarding}-4-in-6`, address: `10.0.1.15${i}`, forwarding, via: 'ipv6' },
    { ...web, name: `${forwarding}-6-in-4`, address: `fd00:1::1:4${i}`, forwarding, via: 'ipv4' },
    { ...web, name: `${forwarding}-6-in-6`, address: `fd00:1::1:5${i}`, forwarding, via: 'ipv6' },
  ]),
];

export const isIpv6 = (address: string) => address.includes(':');

/** As it stands in a URL. */
export function hostOf(address: string): string {
  return isIpv6(address) ? `[${address}]` : address;
}

export function isTranslated({ forwarding }: Vip): boolean {
  return forwarding === 'nat';
}
