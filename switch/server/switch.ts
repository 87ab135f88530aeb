// SPDX-License-Identifier: Apache-2.0
/** A running switch: pipeline, ports and P4Runtime server put together. */

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { P4Runtime } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';
import type { PacketPortBinding } from '../ports/packet-socket.ts';
import type { PortCounters } from '../ports/port.ts';
import { type Clock, systemClock } from './clock.ts';
import { Controllers } from './controllers.ts';
import { Device } from './device.ts';
import type { PipelineHost } from './host.ts';
import { InProcessHost } from './in-process-host.ts';
import { Code, Refusal } from './refusal.ts';
import { p4runtimeHandlers } from './service.ts';
import { startWorkerHost } from './worker-host.ts';

export interface SwitchOptions {
  deviceId: bigint;
  /** Where the P4Runtime server listens; port 0 chooses a free one. */
  grpcAddress: string;
  /** Real interfaces: the pipeline then runs in a worker. Without any it runs in this thread, and its ports are memory. */
  interfaces: readonly PacketPortBinding[];
  /** Frames sent out here reach the controller as packet-in, its packet-outs arrive here; undefined: no such port. */
  cpuPort: number | undefined;
  dropPort: number;
  /** Text of a BMv2 JSON that forwards from the start. A controller can write only after it has pushed one itself. */
  program?: string | undefined;
  /** Writes a pcap file for each interface and direction. */
  captureDirectory?: string | undefined;
  /** Of a switch without interfaces. One with interfaces lives in real time. */
  clock: Clock;
  /** Only of a switch without interfaces: each frame it sends; valid during the call, which must not inject another. */
  onTransmit?: ((port: number, frame: Uint8Array) => void) | undefined;
  log: (level: LogLevel, line: string) => void;
  /** The pipeline has died; the switch can only be closed. */
  onFailure: (cause: Error) => void;
}

export type LogLevel = 'info' | 'warn' | 'error';

export const switchDefaults: Readonly<Omit<SwitchOptions, 'clock'>> = {
  deviceId: 0n,
  grpcAddress: '0.0.0.0:9559',
  interfaces: [],
  cpuPort: undefined,
  dropPort: 511,
  log: () => {},
  onFailure: () => {},
};

export interface RunningSwitch {
  /** Where it listens, the port resolved: `127.0.0.1:9559`. */
  readonly address: string;
  /**
   * Lets a frame arrive at a port; what it causes has been given to `onTransmit` when this returns.
   *
   * @throws Error when the switch has real interfaces: frames arrive there
   */
  inject(port: number, frame: Uint8Array): void;
  /**
   * Says that a port has gone up or down, which decides about members of groups that watch it. All are up at first.
   *
   * @throws Error when the switch has real interfaces: their links are watched
   */
  setPortUp(port: number, isUp: boolean): void;
  /** Empty for a switch without interfaces. */
  portCounters(): Promise<ReadonlyMap<number, PortCounters>>;
  /** Stops packets first, then the server. */
  close(): Promise<void>;
}

const grpcOptions = {
  // As simple_switch_grpc: a program with its P4Info is large, and so is a table read back.
  'grpc.max_receive_message_length': 256 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
  // Controllers ping to notice a dead switch.
  'grpc.keepalive_permit_without_calls': 1,
} as const;

/**
 * @throws Error when an interface cannot be opened or the address is in use, ProgramError when the program cannot be
 *   loaded; nothing is left running then
 */
export async function startSwitch(options: Partial<SwitchOptions> = {}): Promise<RunningSwitch> {
  const full: SwitchOptions = { ...switchDefaults, clock: systemClock(), ...options };
  const { deviceId, clock, cpuPort, log } = full;
  const controllers = new Controllers({ deviceId, log });
  const device = new Device({ clock, cpuPort, log, send: (message) => controllers.broadcast(message) });
  const server = new Server(grpcOptions);

  const listener = {
    output: device.output.bind(device),
    idle: device.idle.bind(device),
    portChanged: device.portChanged.bind(device),
    failed(cause: Error) {
      device.failed(cause);
      full.onFailure(cause);
    },
  };
  const host = await startHost(full, listener);
  device.attach(host);
  server.addService(serviceDefinition(P4Runtime), p4runtimeHandlers({ deviceId, device, controllers, log }));
  try {
    if (full.program !== undefined) {
      await host.stage(full.program);
      await host.commit();
    }
    const port = await listen(server, full.grpcAddress);
    return runningSwitch(full, host, server, controllers, port);
  } catch (cause) {
    await host.close();
    throw cause;
  }
}

function startHost(
  { interfaces, captureDirectory, cpuPort, dropPort, clock, onTransmit = () => {} }: SwitchOptions,
  listener: ConstructorParameters<typeof InProcessHost>[0]['listener'],
): Promise<PipelineHost> {
  if (interfaces.length > 0) {
    return startWorkerHost({ interfaces, captureDirectory, cpuPort, dropPort, listener });
  }
  return Promise.resolve(new InProcessHost({ cpuPort, dropPort, clock, listener, onTransmit }));
}

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(`cannot listen on ${address}: ${error.message}`));
    });
  });
}

function runningSwitch(
  { grpcAddress, interfaces }: SwitchOptions,
  host: PipelineHost,
  server: Server,
  controllers: Controllers,
  port: number,
): RunningSwitch {
  let closed: Promise<void> | undefined;
  return {
    address: grpcAddress.replace(/:\d+$/, `:${port}`),
    inject(inPort, frame) {
      if (interfaces.length > 0) throw new Error('frames are injected only into a switch without interfaces');
      host.inject(inPort, frame);
    },
    setPortUp(changedPort, isUp) {
      if (!(host instanceof InProcessHost)) throw new Error('the links of real interfaces are watched');
      host.setPortUp(changedPort, isUp);
    },
    portCounters: () => host.portCounters(),
    close() {
      closed ??= (async () => {
        await host.close();
        controllers.closeAll(new Refusal(Code.UNAVAILABLE, 'the switch is shutting down'));
        server.forceShutdown();
      })();
      return closed;
    },
  };
}
