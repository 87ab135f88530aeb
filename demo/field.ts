// SPDX-License-Identifier: Apache-2.0
/**
 * Where experiments with real servers take place: the hosts of layout.ts in network namespaces, a switch between them, and beside it a
 * network over which the controller asks the servers how they are, past the switch, at the addresses that the switch sends clients to:
 *
 *   client ── switch ── s1 .. s4, each at 10.66.p.10
 *                       |     |
 *   controller ─────────┴─────┘  10.67.p.1 to 10.67.p.2, and routes to 10.66.p.10 over them
 *
 * To be opened in a network of the program's own (lab/own-network.ts): it lays routes.
 */
import { adoptRootLink, ip, removeRootLink, rootLinkName, setSysctls } from '../lab/namespace.ts';
import { buildLab } from '../lab/topology.ts';
import { type Host, hosts, prefixLength, serverHosts } from './layout.ts';
import type { SwitchProgram } from './namespace-network.ts';
import { freePort, startProgram, switchOptions, until, type Watched, watch } from './programs.ts';

export interface Field {
  /** Of the switch's P4Runtime server. */
  readonly switchAddress: string;
  readonly deviceId: number;
  /** Starts a program on a host. @param onReport  for each line of JSON that it writes */
  start(host: string, argv: readonly string[], onReport: (report: unknown) => void): Watched;
  /** Takes a host from both networks, or gives it back: silence, as of a machine without power. */
  connect(host: string, isConnected: boolean): void;
  /** The reason when the switch is no longer there. */
  failure(): string | undefined;
  close(): Promise<void>;
}

const processesMax = 50;
const deviceId = 1;
const cpuPort = 510;
const startTimeoutMs = 60_000;
/** Ports of the second network are named like those of the switch, which has fewer than this. */
const managementPort = (host: Host): number => 600 + host.port;
const managementInterface = 'eth1';
const managementAddress = (host: Host, last: 1 | 2): string => `10.67.${host.port}.${last}`;

export async function openField(program: SwitchProgram): Promise<Field> {
  // Every process is to end with us, and so listens for our end.
  process.setMaxListeners(processesMax);
  setSysctls({ 'ipv4/conf/all/rp_filter': 0, 'ipv4/conf/default/rp_filter': 0 });
  const lab = buildLab(
    {
      hosts: hosts.map(({ name, port, address, gateway, mac }) => {
        return { name, port, address: `${address}/${prefixLength}`, gateway, mac };
      }),
      offloads: program.takesOffloads,
      switchPlace: 'here',
    },
    'field',
  );
  for (const host of serverHosts) layManagement(host, lab.host(host.name).namespace.name);
  const switchAddress = `127.0.0.1:${await freePort()}`;
  const options = { deviceId, address: switchAddress, cpuPort, ports: lab.ports };
  const switchProcess = startProgram([...program.command, ...(await switchOptions(options))]);
  const failure = () => {
    const ending = switchProcess.ending();
    if (ending === undefined) return undefined;
    return `the switch has ended (${ending}):\n${switchProcess.lines.slice(-10).join('\n')}`;
  };
  return {
    switchAddress,
    deviceId,
    start(host, argv, onReport) {
      const child = lab.host(host).namespace.spawn([process.execPath, ...argv], { stdio: 'pipe' });
      return watch(child, (line) => {
        if (line.startsWith('{')) onReport(JSON.parse(line));
      });
    },
    connect(name, isConnected) {
      const { namespace, interfaceName, spec } = lab.host(name);
      const state = isConnected ? 'up' : 'down';
      ip([`link set ${interfaceName} ${state}`, `link set ${managementInterface} ${state}`], namespace.name);
      // Routes go with their interface, and do not come back by themselves.
      if (isConnected) ip([`route replace default via ${spec.gateway} dev ${interfaceName}`], namespace.name);
    },
    failure,
    async close() {
      switchProcess.child.kill('SIGTERM');
      await Promise.race([switchProcess.ended, new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
      switchProcess.child.kill('SIGKILL');
      for (const host of serverHosts) removeRootLink(rootLinkName(managementPort(host)));
      lab.close();
    },
  };
}

function layManagement(host: Host, namespace: string): void {
  const name = rootLinkName(managementPort(host));
  ip([`link add ${name} type veth peer name ${managementInterface} netns ${namespace}`]);
  adoptRootLink(name);
  ip(
    [
      `address add ${managementAddress(host, 2)}/30 dev ${managementInterface}`,
      `link set ${managementInterface} up`,
    ],
    namespace,
  );
  ip([
    `address add ${managementAddress(host, 1)}/30 dev ${name}`,
    `link set ${name} up`,
    `route add ${host.address}/32 via ${managementAddress(host, 2)} dev ${name}`,
  ]);
}

/** @throws Error with its last words when it ends instead */
export async function untilReady(what: string, process: Watched): Promise<void> {
  await until(`${what} started`, startTimeoutMs, () => {
    const ending = process.ending();
    if (ending !== undefined) throw new Error(`${what}: ${ending}\n${process.lines.slice(-10).join('\n')}`);
    return process.lines.some((line) => line.includes('"ready"'));
  });
}
