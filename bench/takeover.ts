// SPDX-License-Identifier: Apache-2.0
/**
 * How long nobody is in charge when the leader of several controllers is killed, and what that costs. Processes: an etcd,
 * controllers, switches, each with its clients and servers in memory. The leader is killed again and again, at rest and in
 * the middle of changes, under traffic that notices everything.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import { startEtcd, whyNoEtcd } from '../controller/testing/etcd-process.ts';
import { serverPlaces, vip } from '../demo/layout.ts';
import { pause, until } from '../demo/programs.ts';
import { type Random, seededRandom } from '../demo/random.ts';
import { type TrafficOptions, trafficDefaults } from '../demo/traffic.ts';
import { Controllers, type Member } from './controllers.ts';
import { type Distribution, distributionOf, formatDistribution } from './distribution.ts';
import { NetworkProcess } from './network-process.ts';
import { changedRows, readSwitchRows, type SwitchRows } from './switch-rows.ts';

export interface TakeoverOptions {
  controllers: number;
  switches: number;
  kills: number;
  /** Kept open on each switch. */
  connections: number;
  slots: number;
  leaseMs: number;
  sessionTimeoutMs: number;
  seed: number;
  onProgress: (line: string) => void;
}

export const takeoverDefaults: Readonly<TakeoverOptions> = {
  controllers: 3,
  switches: 2,
  kills: 20,
  connections: 60,
  slots: 4_096,
  leaseMs: 5_000,
  sessionTimeoutMs: 5_000,
  seed: 1,
  onProgress: () => {},
};

export interface Kill {
  /** What the leader was doing: 'idle', or the phase of a change. */
  phase: string;
  /** From the kill until another leads; has connected to the switches and read them; has carried out what was wanted. */
  electedMs: number;
  inChargeMs: number;
  changedMs: number | undefined;
  /**
   * Rows that the new leader has written until then, over all switches, but for pins and versions; and how many rows
   * said something else afterwards than before.
   */
  rowsWritten: number;
  rowsChanged: number;
}

export interface TakeoverResult {
  kills: Kill[];
  connections: number;
  broken: number;
  /** How, and how many of them. */
  reasons: ReadonlyMap<string, number>;
  /** The largest number of long connections open at once, over all switches. */
  openMost: number;
  /** The longest that a process of clients and servers got no processor. */
  standstillMs: number;
}

/** What a takeover may have to write; pins follow the traffic, and the version counts on. */
const tables = [
  'slot',
  'slot_version',
  'backend',
  'return_path',
  'vip',
  'route',
  'neighbour',
  'known_neighbour',
];
const startMs = 60_000;
const changeMs = 120_000;
/** After a kill at rest, writes that a takeover would cause have begun by then. */
const restMs = 500;
/** Each question keeps a controller from its work for a few milliseconds. */
const pollMs = 25;
/** The leader is killed within so much of the moment at which a change was seen to begin; one with nothing to wait for is short. */
const changeMomentsMs = 60;

/** @returns the result, or why it cannot be had */
export async function benchTakeover(
  options: TakeoverOptions,
): Promise<TakeoverResult | { unavailable: string }> {
  const unavailable = whyNoEtcd();
  if (unavailable !== undefined) return { unavailable };
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-takeover-'));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  process.on('exit', removeFolder);
  const etcd = await startEtcd();
  const networks: NetworkProcess[] = [];
  let controllers: Controllers | undefined;
  try {
    const { slots, leaseMs, sessionTimeoutMs } = options;
    for (let i = 0; i < options.switches; i++)
      networks.push(await NetworkProcess.start(trafficOptions(options, i)));
    controllers = await Controllers.create({
      count: options.controllers,
      etcdEndpoint: etcd.endpoint,
      leaseMs,
      switches: networks.map(({ switchAddress: address, deviceId }) => ({ address, deviceId })),
      servers: serverPlaces,
      slots,
      sessionTimeoutMs,
      folder,
    });
    return await new Bench(options, networks, controllers).run();
  } finally {
    await controllers?.close();
    await Promise.all(networks.map((network) => network.kill()));
    await etcd.close();
    removeFolder();
    process.off('exit', removeFolder);
  }
}

export function formatTakeover({ leaseMs }: TakeoverOptions, result: TakeoverResult): string[] {
  const { kills, connections, broken, reasons, openMost, standstillMs } = result;
  const atRest = kills.filter(({ phase }) => phase === 'idle');
  const inChange = kills.filter(({ phase }) => phase !== 'idle');
  const line = (what: string, value: string): string => `| ${leaseMs / 1_000} s | ${what} | ${value} |`;
  const row = (what: string, some: readonly Kill[], of: (kill: Kill) => number | undefined): string[] => {
    const values = some.map(of).filter((value) => value !== undefined);
    return values.length === 0 ? [] : [line(what, show(distributionOf(values)))];
  };
  return [
    ...row('another leads, ms', kills, ({ electedMs }) => electedMs),
    ...row('... and is in charge of all switches, ms', kills, ({ inChargeMs }) => inChargeMs),
    ...row('... and has finished the change under way, ms', inChange, ({ changedMs }) => changedMs),
    ...row('rows written after a kill at rest', atRest, ({ rowsWritten }) => rowsWritten),
    ...row('rows written after a kill in a change', inChange, ({ rowsWritten }) => rowsWritten),
    ...row('rows that differ then from those at the kill', inChange, ({ rowsChanged }) => rowsChanged),
    line('connections broken', `${broken} of ${connections}; up to ${openMost} long ones at once`),
    line('longest standstill of clients and servers, ms', String(standstillMs)),
    ...[...reasons].map(([why, count]) => `${count} broken: ${why}`),
  ];
}

const show = (distribution: Distribution): string => formatDistribution(distribution);

class Bench {
  private readonly options: TakeoverOptions;
  private readonly networks: readonly NetworkProcess[];
  private readonly controllers: Controllers;
  private readonly dice: Random;
  private readonly kills: Kill[] = [];
  private openMost = 0;
  /** Of the server that is taken out and put back. */
  private isOut = false;

  constructor(options: TakeoverOptions, networks: readonly NetworkProcess[], controllers: Controllers) {
    this.options = options;
    this.networks = networks;
    this.controllers = controllers;
    this.dice = seededRandom(options.seed);
  }

  async run(): Promise<TakeoverResult> {
    const { onProgress, kills } = this.options;
    await this.startEverything();
    for (let i = 0; i < kills; i++) {
      const kill = await this.killLeader(i % 2 === 0);
      this.kills.push(kill);
      onProgress(
        `kill ${i + 1}: ${kill.phase}; another leads after ${kill.electedMs} ms, in charge after ${kill.inChargeMs} ms` +
          `${kill.changedMs === undefined ? '' : `, changed after ${kill.changedMs} ms`}; ` +
          `${kill.rowsWritten} rows written, ${kill.rowsChanged} changed; ${this.sum('broken')} broken`,
      );
    }
    await Promise.all(this.networks.map((network) => network.stopTraffic()));
    const reasons = new Map<string, number>();
    for (const network of this.networks)
      for (const [why, count] of Object.entries(network.reasons))
        reasons.set(why, (reasons.get(why) ?? 0) + count);
    return {
      kills: this.kills,
      connections: this.sum('longTotal') + this.sum('shortTotal'),
      broken: this.sum('broken'),
      reasons,
      openMost: this.openMost,
      standstillMs: Math.max(...this.networks.map((network) => network.standstillMs)),
    };
  }

  private async startEverything(): Promise<void> {
    const { connections, switches } = this.options;
    for (const member of this.controllers.members) {
      this.controllers.start(member);
      await this.controllers.whenUp(member);
    }
    await until('the vip is served', startMs, async () => isQuiet((await this.controllers.leader())?.status));
    for (const network of this.networks) network.startTraffic();
    await until(
      'all connections are open',
      startMs,
      () => this.sum('longOpen') >= connections * switches * 0.98,
    );
  }

  private async killLeader(isAtRest: boolean): Promise<Kill> {
    const { controllers } = this;
    await until('nothing is under way', changeMs, async () => isQuiet((await controllers.leader())?.status));
    const leader = await controllers.leader();
    if (leader === undefined) throw new Error('nobody leads');
    const phase = isAtRest ? 'idle' : await this.changeUntilUnderWay(leader.member);
    const killedAt = performance.now();
    const since = (): number => Math.round(performance.now() - killedAt);
    await controllers.end(leader.member, 'SIGKILL');
    // Nobody leads for a while yet, so nobody writes.
    const before = await this.rows();

    const electedMs = await this.when((status) => status.leadership.role === 'leader', since);
    const inChargeMs = await this.when(({ engine }) => engine.state === 'running', since);
    let changedMs: number | undefined;
    if (!isAtRest) changedMs = await this.when((status) => isCarriedOut(status, this.isOut), since);
    else await pause(restMs);
    await this.when(({ engine }) => engine.writes.unsettledRows === 0, since);
    const written = (await controllers.leader())?.status.switch.written ?? {};
    const after = await this.rows();
    const changes = before.map((rows, i) => changedRows(rows, after[i]!));
    this.openMost = Math.max(this.openMost, this.sum('longOpen'));

    controllers.start(leader.member);
    await controllers.whenUp(leader.member);
    return {
      phase,
      electedMs,
      inChargeMs,
      changedMs,
      rowsWritten: tables.reduce((sum, table) => sum + (written[table] ?? 0), 0),
      rowsChanged: changes.reduce((sum, change) => sum + [...change.values()].reduce((a, b) => a + b, 0), 0),
    };
  }

  /** Asks one that does not lead; waits for the dice's moment. @returns the phase in which the leader is */
  private async changeUntilUnderWay(leader: Member): Promise<string> {
    const others = this.controllers.members.filter((member) => member !== leader);
    const asked = others[this.dice.next() % others.length]!;
    const { name, address, port } = serverPlaces.at(-1)!;
    const target = { vip: vip.name, backend: name };
    const phase = async (): Promise<string> =>
      (await this.controllers.status(leader))?.engine.change.phase ?? 'idle';
    await this.controllers.edit(
      asked,
      this.isOut ? { kind: 'add', ...target, address, port } : { kind: 'remove', ...target },
    );
    this.isOut = !this.isOut;
    const deadline = performance.now() + changeMs;
    while ((await phase()) === 'idle')
      if (performance.now() > deadline) throw new Error('the change does not begin');
    await pause(this.dice.between(0, changeMomentsMs));
    return phase();
  }

  /** @returns when the leader first said so. @throws Error when it does not */
  private async when(isSo: (status: ControllerStatus) => boolean, since: () => number): Promise<number> {
    const deadline = performance.now() + changeMs;
    for (;;) {
      const leader = await this.controllers.leader();
      if (leader !== undefined && isSo(leader.status)) return since();
      if (performance.now() > deadline)
        throw new Error(`it does not happen:\n${JSON.stringify(leader?.status.engine.change)}`);
      await pause(pollMs);
    }
  }

  private rows(): Promise<SwitchRows[]> {
    return Promise.all(
      this.networks.map(({ switchAddress, deviceId }) => readSwitchRows(switchAddress, deviceId, tables)),
    );
  }

  private sum(what: 'broken' | 'longOpen' | 'longTotal' | 'shortTotal'): number {
    return this.networks.reduce((sum, { summary }) => sum + summary[what], 0);
  }
}

function trafficOptions(
  { connections, sessionTimeoutMs, seed }: TakeoverOptions,
  index: number,
): TrafficOptions {
  return {
    ...trafficDefaults,
    longConnections: connections,
    rampMs: 2_000,
    shortPerSecond: 5,
    idleMsMax: sessionTimeoutMs * 0.6,
    lifeMs: { min: 2_000, max: 15_000 },
    seed: seed + index,
  };
}

/** The table is as wanted, and nothing waits. */
function isQuiet(status: ControllerStatus | undefined): boolean {
  if (status?.engine.state !== 'running') return false;
  const { change, pools, neighbours, writes } = status.engine;
  return (
    change.phase === 'idle' &&
    change.waitingFor === undefined &&
    writes.unsettledRows === 0 &&
    neighbours.missing.length === 0 &&
    pools.length === 1 &&
    pools[0]!.phase === 'serving' &&
    (status.switch.members ?? []).every(({ state }) => state === 'participating')
  );
}

function isCarriedOut(status: ControllerStatus, isOut: boolean): boolean {
  const { name } = serverPlaces.at(-1)!;
  const backend = status.engine.pools[0]?.backends.find((other) => other.name === name);
  const owns = (backend?.slots ?? 0) > 0 && backend?.state === 'active';
  return isQuiet(status) && owns === !isOut;
}
