// SPDX-License-Identifier: Apache-2.0
/**
 * A switch with hosts around it, as data; and its construction out of network namespaces and veth pairs.
 *
 * Hosts are real: they have a kernel's TCP and ask for their gateway by ARP, which the switch must answer.
 * The switch itself is not started here: its interfaces lie ready for any process.
 */

import { isIP } from 'node:net';
import { setOffloads } from '../switch/ports/offload.ts';
import { LabError } from './error.ts';
import { adoptRootLink, ip, Namespace, removeRootLink, rootLinkName, setSysctls } from './namespace.ts';

export interface HostSpec {
  /** Lower case letters, digits and dashes; unique. */
  name: string;
  /** The switch port that the host is connected to; unique. */
  port: number;
  /** With prefix: `10.0.1.1/24` or `fd00:1::1/64`. */
  address: string;
  /** Further addresses of the same interface, with prefix. */
  moreAddresses?: readonly string[];
  /** Addresses that the host accepts and never announces by ARP, as a server behind direct server return has the vip. */
  loopbackAddresses?: readonly string[];
  /** Left out: 02:00:00:00:pp:pp of its port. */
  mac?: string;
  /** The default route. Its family is that of the gateway. */
  gateway?: string;
  routes?: readonly { to: string; via: string }[];
  /** Only where ARP itself would be in the way of the test. */
  staticNeighbours?: readonly { address: string; mac: string }[];
}

export interface Topology {
  hosts: readonly HostSpec[];
  /** Of every link. */
  mtu?: number;
  /**
   * Checksum and segmentation offload of the hosts. On, as Linux has it, is right for our switch, which does the work of
   * the missing network card. A switch that does not (BMv2) needs false.
   */
  offloads?: boolean;
  /**
   * 'own': a namespace for the switch. 'here': the ports stay in the namespace of this program, so that a switch started
   * as an ordinary process can be reached over loopback.
   */
  switchPlace?: 'own' | 'here';
}

export const topologyDefaults = { mtu: 1500, offloads: true, switchPlace: 'own' } as const;

/** More ports than this is not a laptop-sized lab. */
export const hostsMax = 64;

export interface LabHost {
  spec: HostSpec;
  namespace: Namespace;
  interfaceName: string;
  mac: string;
}

/** One port of the switch: as `openPacketPorts` wants it. */
export interface LabPort {
  port: number;
  interfaceName: string;
  /** Left out: where this program is. */
  namespace?: string;
}

export interface Lab {
  host(name: string): LabHost;
  readonly hosts: readonly LabHost[];
  readonly ports: readonly LabPort[];
  /** The argument vector that runs a command where the ports are. */
  switchCommand(argv: readonly string[]): string[];
  /** Removes everything, processes included. */
  close(): void;
}

const hostInterfaceName = 'eth0';

/** @returns one sentence for every contradiction; none when it can be built */
export function findTopologyProblems({ hosts, mtu = topologyDefaults.mtu }: Topology): string[] {
  const problems: string[] = [];
  if (hosts.length === 0) problems.push('a topology needs at least one host');
  if (hosts.length > hostsMax) problems.push(`${hosts.length} hosts are more than ${hostsMax}`);
  if (!(mtu >= 576 && mtu <= 65_535)) problems.push(`an MTU of ${mtu} is not between 576 and 65535`);
  const reportDuplicates = (what: string, values: readonly (string | number)[]) => {
    const duplicates = values.filter((value, index) => values.indexOf(value) !== index);
    for (const value of new Set(duplicates)) problems.push(`two hosts have the same ${what}: ${value}`);
  };
  reportDuplicates(
    'name',
    hosts.map(({ name }) => name),
  );
  reportDuplicates(
    'port',
    hosts.map(({ port }) => port),
  );
  reportDuplicates('MAC address', hosts.map(macOf));
  reportDuplicates(
    'address',
    hosts.flatMap(addressesOf).map((address) => address.split('/')[0]!),
  );
  for (const host of hosts)
    problems.push(...findHostProblems(host).map((problem) => `host ${host.name}: ${problem}`));
  return problems;
}

function findHostProblems(host: HostSpec): string[] {
  const problems: string[] = [];
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(host.name))
    problems.push('a name is lower case letters, digits and dashes');
  if (!Number.isInteger(host.port) || host.port < 0 || host.port > 510)
    problems.push(`port ${host.port} is not 0..510`);
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(macOf(host)))
    problems.push(`'${host.mac}' is not a MAC address`);
  for (const address of [...addressesOf(host), ...(host.loopbackAddresses ?? [])]) {
    if (!isAddressWithPrefix(address))
      problems.push(`'${address}' is not an address with prefix, like 10.0.0.1/24`);
  }
  if (host.gateway !== undefined && isIP(host.gateway) === 0)
    problems.push(`'${host.gateway}' is not a gateway address`);
  return problems;
}

function isAddressWithPrefix(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/');
  const family = isIP(address!);
  const bits = /^\d{1,3}$/.test(prefix ?? '') ? Number(prefix) : Number.NaN;
  return rest.length === 0 && family !== 0 && bits <= (family === 4 ? 32 : 128);
}

function addressesOf(host: HostSpec): string[] {
  return [host.address, ...(host.moreAddresses ?? [])];
}

function macOf({ mac, port }: HostSpec): string {
  return mac ?? `02:00:00:00:${hexByte(port >> 8)}:${hexByte(port & 0xff)}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/**
 * Builds it all, or nothing. A second lab of the same program needs a label of its own.
 *
 * @throws LabError 'bad-topology', 'command-failed'; check `labCapability` first for a friendlier answer
 */
export function buildLab(topology: Topology, label = 'lab'): Lab {
  const problems = findTopologyProblems(topology);
  if (problems.length > 0) throw new LabError('bad-topology', problems.join('\n'));
  const { mtu, offloads, switchPlace } = { ...topologyDefaults, ...topology };

  const namespaces: Namespace[] = [];
  const open = (name: string) => {
    const namespace = new Namespace(`${label}-${name}`);
    namespaces.push(namespace);
    return namespace;
  };
  const links: string[] = [];
  const close = () => {
    for (const namespace of namespaces) namespace.remove();
    for (const link of links) removeRootLink(link);
  };

  try {
    const home = switchPlace === 'own' ? open('switch') : undefined;
    const hosts = topology.hosts.map((spec): LabHost => {
      const namespace = open(`host-${spec.name}`);
      return { spec, namespace, interfaceName: hostInterfaceName, mac: macOf(spec) };
    });
    const ports = hosts.map((host): LabPort => {
      const { port } = host.spec;
      const interfaceName = home === undefined ? rootLinkName(port) : `port${port}`;
      connect(host, interfaceName, home, mtu);
      if (home === undefined) links.push(interfaceName);
      return home === undefined ? { port, interfaceName } : { port, interfaceName, namespace: home.name };
    });
    for (const host of hosts) {
      configure(host);
      if (!offloads) setOffloads(host.interfaceName, false, host.namespace.name);
    }
    const byName = new Map(hosts.map((host) => [host.spec.name, host]));
    return {
      hosts,
      ports,
      host(name) {
        const host = byName.get(name);
        if (host === undefined) throw new LabError('bad-topology', `there is no host '${name}' in this lab`);
        return host;
      },
      switchCommand: (argv) => home?.command(argv) ?? [...argv],
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Lays the veth pair between a host and the switch. */
function connect(host: LabHost, portName: string, home: Namespace | undefined, mtu: number): void {
  const { interfaceName, mac, namespace } = host;
  const peer = `peer name ${interfaceName} netns ${namespace.name} address ${mac} mtu ${mtu}`;
  ip([`link add ${portName} mtu ${mtu} type veth ${peer}`], home?.name);
  if (home === undefined) {
    adoptRootLink(portName);
    // The kernel must not take part: no IPv6, and no answer to ARP for the addresses of this machine.
    setSysctls({
      [`ipv6/conf/${portName}/disable_ipv6`]: 1,
      [`ipv4/conf/${portName}/arp_ignore`]: 8,
      [`ipv4/conf/${portName}/forwarding`]: 0,
    });
  }
  ip([`link set ${portName} up`], home?.name);
}

function configure({ spec, namespace, interfaceName }: LabHost): void {
  const usesIPv6 = [...addressesOf(spec), ...(spec.loopbackAddresses ?? []), spec.gateway ?? ''].some(
    (address) => address.includes(':'),
  );
  if (usesIPv6) namespace.setSysctls(quietIPv6(interfaceName));
  if (spec.loopbackAddresses !== undefined) {
    namespace.setSysctls({ 'ipv4/conf/all/arp_ignore': 1, 'ipv4/conf/all/arp_announce': 2 });
  }
  // Replies of a server behind direct server return leave from an address that no route leads to.
  namespace.setSysctls({ 'ipv4/conf/all/rp_filter': 0, [`ipv4/conf/${interfaceName}/rp_filter`]: 0 });
  ip(
    [
      ...addressesOf(spec).map((address) => `address add ${address} dev ${interfaceName}${nodad(address)}`),
      ...(spec.loopbackAddresses ?? []).map((address) => `address add ${address} dev lo${nodad(address)}`),
      `link set ${interfaceName} up`,
      ...(spec.gateway === undefined ? [] : [`route add default via ${spec.gateway} dev ${interfaceName}`]),
      ...(spec.routes ?? []).map(({ to, via }) => `route add ${to} via ${via} dev ${interfaceName}`),
      ...(spec.staticNeighbours ?? []).map(
        ({ address, mac }) => `neighbour add ${address} lladdr ${mac} nud permanent dev ${interfaceName}`,
      ),
    ],
    namespace.name,
  );
}

/** IPv6 with the addresses it is given, and none that it makes up. */
function quietIPv6(interfaceName: string): Record<string, number> {
  const own = `ipv6/conf/${interfaceName}`;
  return {
    [`${own}/accept_ra`]: 0,
    [`${own}/autoconf`]: 0,
    [`${own}/router_solicitations`]: 0,
    [`${own}/dad_transmits`]: 0,
    [`${own}/addr_gen_mode`]: 1,
    'ipv6/conf/all/disable_ipv6': 0,
    'ipv6/conf/lo/disable_ipv6': 0,
    [`${own}/disable_ipv6`]: 0,
  };
}

function nodad(address: string): string {
  return address.includes(':') ? ' nodad' : '';
}
