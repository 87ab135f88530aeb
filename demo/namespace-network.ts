// SPDX-License-Identifier: Apache-2.0
/** The network of network namespaces: real kernels' TCP, and a switch process between them. */

import { connect } from 'node:net';
import { buildLab } from '../lab/topology.ts';
import { openPacketPorts } from '../switch/ports/packet-socket.ts';
import type { Command, HostReport } from './host-process.ts';
import { client, hosts, prefixLength, serverHosts, serverPlaces, vip } from './layout.ts';
import { emptySummary, type Network } from './network.ts';
import {
  freePort,
  programPath,
  startProgram,
  switchOptions,
  until,
  type Watched,
  watch,
} from './programs.ts';
import type { BrokenConnection, TrafficOptions } from './traffic.ts';

export interface SwitchProgram {
  /** For the reader of the output. */
  name: string;
  /** Takes simple_switch_grpc's options. */
  command: readonly string[];
  /** Whether it finishes what a sender left to the network card. */
  takesOffloads: boolean;
}

const deviceId = 1;
const cpuPort = 510;
const startTimeoutMs = 60_000;
/**
 * A flood reaches the servers: that is what it is for. Their kernels must not be the ones who forget a handshake, so they
 * have room for half-open connections, and give up on them after a second or two.
 */
const floodProofServer = {
  'core/somaxconn': 65_535,
  'ipv4/tcp_max_syn_backlog': 65_535,
  'ipv4/tcp_synack_retries': 1,
};
const stopTimeoutMs = 30_000;

export async function openNamespaceNetwork(program: SwitchProgram): Promise<Network> {
  const lab = buildLab(
    {
      hosts: hosts.map(({ name, port, address, gateway, mac }) => {
        return { name, port, address: `${address}/${prefixLength}`, gateway, mac };
      }),
      offloads: program.takesOffloads,
      switchPlace: 'here',
    },
    'demo',
  );
  for (const { name } of serverHosts) lab.host(name).namespace.setSysctls(floodProofServer);
  const grpcPort = await freePort();
  const switchAddress = `127.0.0.1:${grpcPort}`;
  const options = { deviceId, address: switchAddress, cpuPort, ports: lab.ports };
  const switchProcess = startProgram([...program.command, ...(await switchOptions(options))]);
  const servers = new Map<string, Watched>();
  const clientHost = lab.host(client.name);
  const raw = openPacketPorts([
    { port: client.port, interfaceName: clientHost.interfaceName, namespace: clientHost.namespace.name },
  ]);
  const close = async () => {
    raw.close();
    switchProcess.child.kill('SIGTERM');
    for (const { child } of servers.values()) child.kill('SIGKILL');
    await Promise.race([switchProcess.ended, new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
    switchProcess.child.kill('SIGKILL');
    lab.close();
  };
  const lastLines = () => switchProcess.lines.slice(-10).join('\n');
  const failure = () => {
    const ending = switchProcess.ending();
    return ending === undefined ? undefined : `the switch has ended (${ending}):\n${lastLines()}`;
  };

  try {
    await until('the switch listens', startTimeoutMs, async () => {
      const problem = failure();
      if (problem !== undefined) throw new Error(problem);
      return isListening(grpcPort);
    });
  } catch (error) {
    await close();
    throw new Error(`${(error as Error).message}\n${lastLines()}`);
  }

  return {
    description: `${program.name}, hosts in network namespaces`,
    isInMemory: false,
    switchAddress,
    deviceId,
    async startServers(hostName, onAccepted = () => {}) {
      const places = serverPlaces.filter(({ host }) => host === hostName);
      const argv = [
        programPath('demo/traffic-server.js'),
        ...places.map(({ name, port }) => `${name}=${port}`),
      ];
      const process = inHost(hostName, argv, (report) => {
        if (report.kind === 'accepted') onAccepted(report.accepted);
      });
      servers.set(hostName, process);
      await untilReady(`the servers of ${hostName}`, process);
    },
    async killServers(hostName) {
      const process = servers.get(hostName);
      servers.delete(hostName);
      process?.child.kill('SIGKILL');
      await process?.ended;
    },
    sayGoodbye(server) {
      const place = serverPlaces.find(({ name }) => name === server);
      const process = servers.get(place?.host ?? '');
      if (process !== undefined) tell(process, { kind: 'goodbye', server });
    },
    async startTraffic(options: TrafficOptions, onBroken: (broken: BrokenConnection) => void) {
      let latest = emptySummary;
      const argv = [
        programPath('demo/traffic-client.js'),
        vip.address,
        String(vip.port),
        JSON.stringify(options),
      ];
      const process = inHost(client.name, argv, (report) => {
        if (report.kind === 'summary') latest = report.summary;
        if (report.kind === 'broken') onBroken(report.broken);
      });
      await untilReady('the client', process);
      return {
        summary: () => latest,
        calm: () => tell(process, { kind: 'calm' }),
        async stop() {
          tell(process, { kind: 'stop' });
          await until('the client ends', stopTimeoutMs, () => process.ending() !== undefined);
          return latest;
        },
      };
    },
    sendFromClient(frames) {
      for (const frame of frames) raw.send(client.port, frame);
      raw.flush();
    },
    failure,
    close,
  };

  function inHost(hostName: string, argv: string[], onReport: (report: HostReport) => void): Watched {
    const { namespace } = lab.host(hostName);
    return watch(namespace.spawn([process.execPath, ...argv], { stdio: 'pipe' }), (line) => {
      if (line.startsWith('{')) onReport(JSON.parse(line) as HostReport);
    });
  }
}

function tell({ child }: Watched, command: Command): void {
  child.stdin?.write(`${JSON.stringify(command)}\n`);
}

async function untilReady(what: string, process: Watched): Promise<void> {
  await until(`${what} started`, startTimeoutMs, () => {
    const ending = process.ending();
    if (ending !== undefined) throw new Error(`${what}: ${ending}\n${process.lines.slice(-10).join('\n')}`);
    return process.lines.some((line) => line.includes('"ready"'));
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
