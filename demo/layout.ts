// SPDX-License-Identifier: Apache-2.0
/**
 * Who is where: one switch, one client, four server hosts with three servers each.
 *
 *   client ── port 1 ─┐         ┌─ port 2 ── s1: s1-1, s1-2, s1-3
 *                     ├─ switch ┼─ port 3 ── s2: ...
 *                     │         ├─ port 4 ── s3: ...
 *                     │         └─ port 5 ── s4: ...
 */

export interface Host {
  name: string;
  /** Of the switch. */
  port: number;
  address: string;
  /** The switch's own address in the host's network. */
  gateway: string;
  mac: string;
  /** The switch's, on this link. */
  gatewayMac: string;
}

export interface ServerPlace {
  /** Also the backend's name. */
  name: string;
  host: string;
  address: string;
  port: number;
}

export const vip = { name: 'web', address: '10.66.0.100', port: 80 } as const;

/** A network that leads nowhere (RFC 2544): sources of the flood. */
export const floodNetwork = { address: '198.18.0.0', prefixLength: 15 } as const;

export const prefixLength = 24;
const serversPerHost = 3;

export const client: Host = hostAt('client', 1);
export const serverHosts: readonly Host[] = ['s1', 's2', 's3', 's4'].map((name, i) => hostAt(name, 2 + i));
export const hosts: readonly Host[] = [client, ...serverHosts];

export const serverPlaces: readonly ServerPlace[] = serverHosts.flatMap(({ name, address }) =>
  Array.from({ length: serversPerHost }, (_, i) => {
    return { name: `${name}-${i + 1}`, host: name, address, port: 8001 + i };
  }),
);

function hostAt(name: string, port: number): Host {
  const network = `10.66.${port}`;
  return {
    name,
    port,
    address: `${network}.10`,
    gateway: `${network}.1`,
    mac: `02:00:00:00:66:0${port}`,
    gatewayMac: `02:00:00:00:67:0${port}`,
  };
}
