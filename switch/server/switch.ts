// SPDX-License-Identifier: Apache-2.0
/** A running switch: pipeline, ports and P4Runtime server put together. */

import { Server, type ServerOptions } from '@grpc/grpc-js';
import { Tracing } from '../../p4runtime/generated/evenkeel/switch/v1/trace_pb.ts';
import { DataplaneInterface } from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import { ServerConfig } from '../../p4runtime/generated/p4/server/v1/config_pb.ts';
import { P4Runtime } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import { type WatchRequest, watchDefaults } from '../engine/trace/watching.ts';
import type { PacketPortBinding } from '../ports/packet-socket.ts';
import type { PortCounters } from '../ports/port.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Compat, Rules } from './compat.ts';
import { Controllers } from './controllers.ts';
import { Dataplane } from './dataplane.ts';
import { untrustingServiceDefinition } from './decoding.ts';
import { Device } from './device.ts';
import { type PipelineHost, type PipelineOutput, type PipelineSettings, settingsOf } from './host.ts';
import { InProcessHost } from './in-process-host.ts';
import { Code, Refusal } from './refusal.ts';
import { Replay, type ReplayOptions } from './replay.ts';
import { ServerConfiguration } from './server-config.ts';
import { p4runtimeHandlers } from './service.ts';
import { type OnReport, TraceDesk } from './trace-desk.ts';
import { listen, shutDown, type TlsOptions } from './transport.ts';
import { TrapLog } from './trap-log.ts';
import { startWorkerHost } from './worker-host.ts';

export interface SwitchOptions extends PipelineSettings {
  /** Whom to take after where simple_switch_grpc and the specification differ; see compat.ts. */
  compat: Compat;
  deviceId: bigint;
  /** Where the P4Runtime server listens; port 0 chooses a free one. */
  grpcAddress: string;
  /** Of the P4Runtime server; undefined: it speaks plain text. */
  tls?: TlsOptions | undefined;
  /** Where p4.bm.DataplaneInterface listens, in plain text; undefined: nowhere. Only of a switch without interfaces. */
  dataplaneAddress?: string | undefined;
  /** Real interfaces: the pipeline then runs in a worker. Without any it runs in this thread, and its ports are memory. */
  interfaces: readonly PacketPortBinding[];
  /** Text of a BMv2 JSON that forwards from the start. A controller can write only after it has pushed one itself. */
  program?: string | undefined;
  /** The interfaces are names of captures, not real: the switch is one without interfaces that is fed with them. */
  replay?: ReplayOptions | undefined;
  /** Writes a pcap file for each interface and direction; of real interfaces. */
  captureDirectory?: string | undefined;
  /** How often a client is asked whether it is still there, and how long it may take to answer; it is cut off then. */
  keepaliveMs: number;
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
  compat: 'strict',
  deviceId: 0n,
  grpcAddress: '0.0.0.0:9559',
  interfaces: [],
  cpuPort: undefined,
  dropPort: 511,
  keepaliveMs: 30_000,
  log: () => {},
  onFailure: () => {},
};

export interface RunningSwitch {
  /** Where it listens, the port resolved: `127.0.0.1:9559`. */
  readonly address: string;
  /** Likewise of the dataplane; undefined when it listens nowhere. */
  readonly dataplaneAddress: string | undefined;
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
  /**
   * Traces packets that fit a filter (engine/trace/filter.ts), as they pass.
   *
   * @param onReport  called for each, until the report that says `ended`; must not call back into the switch
   * @returns what stops it before that, or what is wrong with the filter
   */
  watch(
    request: Pick<WatchRequest, 'filter'> & Partial<WatchRequest>,
    onReport: OnReport,
  ): Promise<{ stop: () => void } | { problem: FilterProblem }>;
  /** Empty for a switch whose ports are memory. */
  portCounters(): Promise<ReadonlyMap<number, PortCounters>>;
  /** Stops packets first, then the server. */
  close(): Promise<void>;
}

/** Further calls of the same connection wait. */
const callsPerConnectionMax = 1024;

const grpcOptions = (keepaliveMs: number): ServerOptions => ({
  // Books about every call, which nobody reads; they cost a fifth of a small Write.
  'grpc.enable_channelz': 0,
  // As simple_switch_grpc: a program with its P4Info is large, and so is a table read back.
  'grpc.max_receive_message_length': 256 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
  // Controllers ping to notice a dead switch.
  'grpc.keepalive_permit_without_calls': 1,
  // A peer that is gone without a word would otherwise keep its streams and its socket for ever; so would one whose
  // HTTP/2 was broken, because Node does not close its socket.
  'grpc.keepalive_time_ms': keepaliveMs,
  'grpc.keepalive_timeout_ms': keepaliveMs,
  'grpc.max_concurrent_streams': callsPerConnectionMax,
});

/**
 * @throws Error when an interface cannot be opened or the address is in use, ProgramError when the program cannot be
 *   loaded; nothing is left running then
 */
export async function startSwitch(options: Partial<SwitchOptions> = {}): Promise<RunningSwitch> {
  const full: SwitchOptions = { ...switchDefaults, clock: systemClock(), ...options };
  if (hasRealInterfaces(full) && full.dataplaneAddress !== undefined) {
    throw new Error('a switch has either interfaces or a dataplane address');
  }
  const { deviceId, clock, cpuPort, log } = full;
  const rules = new Rules(full.compat);
  const controllers = new Controllers({ deviceId, rules, traps: new TrapLog(rules, log), log });
  const device = new Device({
    clock,
    cpuPort,
    rules,
    log,
    send: (message) => controllers.broadcast(message),
  });
  const serverConfig = new ServerConfiguration(deviceId, rules);
  const server = new Server(grpcOptions(full.keepaliveMs));
  const replay = full.replay && new Replay(full.interfaces, full.replay);

  const traces = new TraceDesk();
  const listener = {
    output(output: PipelineOutput) {
      traces.deliver(output.reports);
      device.output(output);
    },
    idle: device.idle.bind(device),
    portChanged: device.portChanged.bind(device),
    failed(cause: Error) {
      device.failed(cause);
      full.onFailure(cause);
    },
  };
  const transmitters: Transmit[] = full.onTransmit === undefined ? [] : [full.onTransmit];
  if (replay !== undefined) transmitters.push((port, frame) => replay.transmit(port, frame));
  const host = await startHost(full, listener, (port, frame) => {
    for (const transmit of transmitters) transmit(port, frame);
  });
  device.attach(host);
  traces.attach(host);
  const service = p4runtimeHandlers({ deviceId, rules, device, controllers, serverConfig, log });
  server.addService(untrustingServiceDefinition(P4Runtime), service);
  server.addService(untrustingServiceDefinition(ServerConfig), serverConfig.handlers);
  server.addService(untrustingServiceDefinition(Tracing), traces.handlers);
  const dataplaneServer = new Server(grpcOptions(full.keepaliveMs));
  if (full.dataplaneAddress !== undefined && host instanceof InProcessHost) {
    const dataplane = new Dataplane({
      deviceId,
      inject: (port, frame) => host.inject(port, frame),
      onPortStatus: (port, isUp) => host.setPortUp(port, isUp),
      log,
    });
    dataplaneServer.addService(untrustingServiceDefinition(DataplaneInterface), dataplane.handlers);
    transmitters.push((port, frame) => dataplane.transmit(port, frame));
  }
  try {
    if (full.program !== undefined) {
      await host.stage(full.program);
      await host.commit();
    }
    const address = await listen(server, full.grpcAddress, full.tls);
    const dataplaneAddress =
      full.dataplaneAddress && (await listen(dataplaneServer, full.dataplaneAddress, undefined));
    replay?.start(
      (port, frame) => host.inject(port, frame),
      () => log('info', 'every capture has been replayed'),
    );
    return runningSwitch({
      address,
      dataplaneAddress,
      host,
      replay,
      controllers,
      traces,
      servers: { main: server, dataplane: dataplaneServer },
    });
  } catch (cause) {
    for (const started of [server, dataplaneServer]) started.forceShutdown();
    await host.close();
    replay?.close();
    throw cause;
  }
}

type Transmit = (port: number, frame: Uint8Array) => void;

function hasRealInterfaces({ interfaces, replay }: SwitchOptions): boolean {
  return interfaces.length > 0 && replay === undefined;
}

function startHost(
  options: SwitchOptions,
  listener: ConstructorParameters<typeof InProcessHost>[0]['listener'],
  onTransmit: Transmit,
): Promise<PipelineHost> {
  const { interfaces, captureDirectory, clock } = options;
  const settings = settingsOf(options);
  if (hasRealInterfaces(options)) {
    return startWorkerHost({ ...settings, interfaces, captureDirectory, listener });
  }
  return Promise.resolve(new InProcessHost({ ...settings, clock, listener, onTransmit }));
}

interface Parts {
  address: string;
  dataplaneAddress: string | undefined;
  host: PipelineHost;
  replay: Replay | undefined;
  controllers: Controllers;
  traces: TraceDesk;
  servers: { main: Server; dataplane: Server };
}

function runningSwitch({
  address,
  dataplaneAddress,
  host,
  replay,
  controllers,
  traces,
  servers,
}: Parts): RunningSwitch {
  let closed: Promise<void> | undefined;
  return {
    address,
    dataplaneAddress,
    inject(inPort, frame) {
      if (!(host instanceof InProcessHost))
        throw new Error('frames are injected only into a switch without interfaces');
      host.inject(inPort, frame);
    },
    setPortUp(changedPort, isUp) {
      if (!(host instanceof InProcessHost)) throw new Error('the links of real interfaces are watched');
      host.setPortUp(changedPort, isUp);
    },
    watch: (request, onReport) => traces.watch({ ...watchDefaults, ...request }, onReport),
    portCounters: async () => replay?.counters() ?? host.portCounters(),
    close() {
      closed ??= (async () => {
        replay?.close();
        await host.close();
        controllers.closeAll(new Refusal(Code.UNAVAILABLE, 'the switch is shutting down'));
        shutDown(servers.main, address);
        shutDown(servers.dataplane, dataplaneAddress);
      })();
      return closed;
    },
  };
}
