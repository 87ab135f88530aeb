// SPDX-License-Identifier: Apache-2.0
/**
 * Those who connect, talk, fall silent and hang up. What they are promised, I1, holds for who
 *
 * - ends its handshake within `quarantineMs` less the time a digest and a pin take; where filter slots fill up faster
 *   than that, in a flood or without, within `floodQuarantineMs`; where they are saturated, nobody is promised anything before it is pinned. Over UDP all of this begins anew when its slot turns unstable again. A SYN that is sent again later than `tcpSettleMs` may find another server: nobody has
 *   answered the ones before
 * - does not come again with the same 5-tuple before `staleDigestMs`, nor just when the last connection's pin expires
 *   (several switches take up to `idleAgreeMs` to agree that it has), nor
 *   when the filter slot that still knows that connection's first packet is emptied before this one is pinned, nor while one
 *   switch still has that connection's pin and the one that it comes to has not: the next controller believes the pin
 * - is never silent for longer than the session timeout; over UDP, which has no beginning, for longer than `udpSettleMs`
 * - sends again within `sendsAgainMs` when a digest of it was lost and nobody could know: at most twice in a row, then it
 *   arrives. Digests lost with their stream, which the controller notices, need no help
 * - moves between switches only once others know of it (`#isKnownOn`), and, if it is pinned, not after a silence that comes
 *   within the time for which the controller, or its clock, is stopped of the session timeout: its old switch and its
 *   new one may each have found its pin idle, the one after the other
 * - has a server that lives, at a vip that stays and is not about to be another pool's, on a switch that does not lose its tables
 */
import type { Address, DesiredPool } from '../../controller/core/desired.ts';
import type { EngineOptions } from '../../controller/core/options.ts';
import type { PinRow } from '../../controller/core/row.ts';
import type { Dice } from '../kernel/dice.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import type { PacketFlags, Verdict } from '../switch/sim-switch.ts';
import { type Chronicle, flowTopic } from './chronicle.ts';
import { type Client, tcpProtocol, udpProtocol } from './client.ts';
import type { Device } from './device.ts';
import type { Ecmp } from './ecmp.ts';
import type { Faults } from './faults.ts';
import type { Endpoint, Fleet } from './fleet.ts';
import type { Judge } from './judge.ts';
import { slowSwitchMs, type WorldPlan } from './plan.ts';

export interface ClientsWorld {
  plan: WorldPlan;
  engine: EngineOptions;
  clock: SimClock;
  faults(): Faults;
  fleet: Fleet;
  judge: Judge;
  ecmp: Ecmp;
  devices: readonly Device[];
  /** Switches of a group that find a pin idle within this time agree on it. */
  idleAgreeMs: number;
  dice: { arrivals: Dice; talk: Dice; moves: Dice };
  /** Lost digests stay lost: nobody sends again for them. */
  isDeaf: boolean;
  chronicle: Chronicle;
}

export interface ClientStats {
  flows: number;
  packets: number;
  digests: number;
  decisions: Record<Verdict['decision'], number>;
}

export const sendsAgainMs = 300;

const lossesInRow = 2;
/** Source: RFC 6298, 1 s and doubling. */
const synTimeoutsMs = [1_000, 3_000];
const roundTripMs = 200;
const shortGapMs = 800;
const firstClient = 0x0b000000;

export class Clients {
  readonly stats: ClientStats = {
    flows: 0,
    packets: 0,
    digests: 0,
    decisions: { 'not ours': 0, stable: 0, pinned: 0, filter: 0, base: 0, new: 0 },
  };
  readonly #world: ClientsWorld;
  #clients = new Set<Client>();
  #count = 0;
  #isQuiet = false;
  /** By `vipKey`: the pool that serves a vip until its successor does. */
  readonly #leaving = new Map<string, number>();

  constructor(world: ClientsWorld) {
    this.#world = world;
  }

  start(): void {
    const { plan, dice, clock } = this.#world;
    clock.after(dice.arrivals.exponential(1_000 / plan.flowsPerSecond), () => {
      if (this.#isQuiet) return;
      this.#arrive();
      this.start();
    });
  }

  /** Nobody comes any more; who is there finishes. */
  stop(): void {
    this.#isQuiet = true;
  }

  get count(): number {
    return this.#clients.size;
  }

  serverDied(endpoint: Endpoint): void {
    for (const client of this.#clients)
      if (client.endpoint === endpoint) this.#lose(client, 'its server died');
  }

  vipWithdrawn(vip: DesiredPool['vip']): void {
    for (const client of this.#clients) {
      if (client.flow.targetAddress === vip.address) this.#lose(client, 'its vip was withdrawn');
    }
  }

  /** Another pool is to serve this vip. */
  poolLeaves(vip: DesiredPool['vip']): void {
    for (const device of this.#world.devices) {
      for (const { address, pool } of device.mirror.vips.values()) {
        if (address === vip.address) this.#leaving.set(vipKey(device, address), pool);
      }
    }
  }

  tablesLost(device: Device): void {
    for (const pool of this.#world.fleet.pools) this.#leaving.delete(vipKey(device, pool.vip.address));
    for (const client of this.#clients) {
      if (client.device === device.index) this.#lose(client, 'its switch lost its tables');
    }
  }

  /**
   * Who is not known by name yet loses what that filter slot knew: those whose handshake takes too long, if it was emptied
   * early, and those whose 5-tuple had a connection not long ago, so that they never were in the active one alone.
   *
   * @param restMs  for how long a handshake may take if it was emptied early
   */
  filterEmptied(isEarly: boolean, restMs: number): void {
    const { clock } = this.#world;
    for (const client of this.#clients) {
      if (client.isHeard && !this.#isBeingPinned(client)) continue;
      const isSlow = clock.now() - client.newAt > restMs;
      if (isEarly && isSlow) this.#lose(client, 'too slow for the flood');
      if (client.isMistakable)
        this.#lose(client, 'the filter slot that took it for an older connection is emptied');
    }
  }

  /** Who came again with a 5-tuple whose pin was on its way out may not have been heard in time. */
  pinDeleted({ sourceAddress, sourcePort }: PinRow): void {
    const { clock, plan, devices, idleAgreeMs } = this.#world;
    const { digestDelayMs, writeDelayMs, stallMs } = plan.faults;
    const agreedMs = devices.length > 1 ? idleAgreeMs : 0;
    const slowMs = agreedMs + slowSwitchMs(plan);
    const heardWithinMs = digestDelayMs + stallMs + 2 * writeDelayMs + roundTripMs + slowMs;
    for (const client of this.#clients) {
      const { flow, openedAt } = client;
      if (flow.sourceAddress !== sourceAddress || flow.sourcePort !== sourcePort) continue;
      const isUnheard = client.wasExpired && client.isOpeningLost;
      if (client.isReopened && (isUnheard || clock.now() - openedAt < heardWithinMs)) {
        this.#lose(client, 'its pin was on its way out');
      }
    }
  }

  /** The controller has heard of it, and its pin is on its way. */
  #isBeingPinned({ device: index, flow, heardAt }: Client): boolean {
    const { clock, devices } = this.#world;
    const { mirror } = devices[index]!;
    const vip = mirror.vipOf(flow);
    const isPinned = vip !== undefined && mirror.pin(vip.pool, flow) !== undefined;
    return !isPinned && heardAt !== undefined && clock.now() - heardAt < this.#pinMs();
  }

  /** A pin takes so long at most, from the digest on, on all switches. */
  #pinMs(): number {
    const { plan } = this.#world;
    const { writeDelayMs, stallMs } = plan.faults;
    return 2_000 + 8 * writeDelayMs + stallMs + slowSwitchMs(plan);
  }

  // A connection.

  #arrive(): void {
    const { fleet, dice } = this.#world;
    const pool = dice.arrivals.pick(fleet.pools);
    const number = this.#count++;
    const flow = {
      sourceAddress: firstClient + number,
      sourcePort: dice.arrivals.integer(1_024, 65_535),
      targetAddress: pool.vip.address,
      targetPort: pool.vip.port,
      protocol: pool.vip.protocol === 'tcp' ? tcpProtocol : udpProtocol,
    };
    this.#open(flow, number % this.#world.devices.length);
  }

  #open(flow: Client['flow'], device: number): void {
    const { plan, engine, dice, clock } = this.#world;
    const faults = this.#world.faults();
    const isUdp = flow.protocol === udpProtocol;
    const client: Client = {
      flow,
      isUdp,
      endpoint: undefined,
      pool: undefined,
      isLost: false,
      packetsLeft: dice.talk.integer(2, 14) * (isUdp ? 3 : 1),
      maxGapMs: isUdp ? engine.udpSettleMs * 0.9 : plan.sessionTimeoutMs,
      openedAt: clock.now(),
      newAt: clock.now(),
      lastSentAt: clock.now(),
      digestsLost: 0,
      isHeard: false,
      isInFilters: false,
      isMistakable: false,
      isReopened: false,
      wasExpired: false,
      isOpeningLost: false,
      isOldest: false,
      heardAt: undefined,
      pinnedAt: undefined,
      device,
    };
    this.#clients.add(client);
    this.stats.flows++;
    this.#send(client, 'syn');
    let lastSynMs = 0;
    if (!isUdp && dice.talk.chance(faults.synRetransmitRate)) {
      const timeouts = synTimeoutsMs.slice(0, dice.talk.integer(1, synTimeoutsMs.length));
      for (lastSynMs of timeouts) clock.after(lastSynMs, () => this.#send(client, 'syn'));
    }
    const acknowledgedMs = lastSynMs + dice.talk.between(1, roundTripMs);
    clock.after(acknowledgedMs, () => this.#talk(client));
  }

  #talk(client: Client): void {
    const { dice, clock, plan } = this.#world;
    if (client.packetsLeft <= 0 || client.endpoint === undefined) {
      this.#hangUp(client);
      return;
    }
    client.packetsLeft--;
    this.#send(client, 'ack');
    const faults = this.#world.faults();
    let gapMs = dice.talk.between(1, Math.min(shortGapMs, client.maxGapMs));
    if (dice.talk.chance(faults.longGapRate)) gapMs = client.maxGapMs * dice.talk.between(0.5, 0.999);
    if (dice.talk.chance(faults.forgottenRate)) gapMs = plan.sessionTimeoutMs * dice.talk.between(1, 2);
    clock.after(gapMs, () => this.#talk(client));
  }

  #hangUp(client: Client): void {
    const { dice, clock } = this.#world;
    const faults = this.#world.faults();
    if (client.endpoint !== undefined && !client.isUdp) {
      this.#send(client, dice.talk.chance(faults.resetRate) ? 'rst' : 'fin');
    }
    this.#clients.delete(client);
    const isReused = client.endpoint !== undefined && dice.talk.chance(faults.portReuseRate);
    if (!isReused || this.#isQuiet) return;
    const restMs = this.#world.engine.staleDigestMs;
    clock.after(restMs * dice.talk.between(1, 3), () => this.#open(client.flow, client.device));
  }

  #lose(client: Client, why: string): void {
    if (client.isLost) return;
    client.isLost = true;
    // It does not know yet, and sends a little more.
    client.packetsLeft = Math.min(client.packetsLeft, 2);
    this.#note(client, why);
  }

  #send(client: Client, flags: PacketFlags): void {
    const { fleet, judge, clock, plan, engine } = this.#world;
    const device = this.#route(client);
    const silentMs = clock.now() - client.lastSentAt;
    if (silentMs > Math.max(client.maxGapMs, client.isUdp ? 0 : plan.sessionTimeoutMs)) {
      this.#lose(client, `silent for ${Math.round(silentMs)} ms`);
    }
    // Nobody has answered it yet, and whoever does now is its server.
    const beginsAnew = flags === 'syn' && silentMs > engine.tcpSettleMs;
    client.lastSentAt = clock.now();
    const pool = device.mirror.vipOf(client.flow)?.pool;
    if (client.endpoint === undefined) client.pool = pool;
    else if (client.pool !== pool) this.#lose(client, 'another pool serves its vip');
    if (client.endpoint === undefined) client.wasExpired = isExpired(device, client.flow, clock.now());
    const verdict = device.process({ flow: client.flow, flags }, clock.now());
    const { decision, digest } = verdict;
    this.stats.packets++;
    this.stats.decisions[decision]++;
    const endpoint = device.mirror.endpointOf(verdict.backend);
    if (decision === 'new' && client.isUdp) {
      // Whatever the controller was told of it before is forgotten: its slot has been stable since.
      client.newAt = clock.now();
      client.isHeard = false;
      client.heardAt = undefined;
    }
    client.pinnedAt = decision === 'pinned' ? (client.pinnedAt ?? clock.now()) : undefined;
    if (flags === 'syn' || client.isUdp) noteFilters(client, decision);
    this.#note(
      client,
      `${flags}: ${decision} -> ${endpoint ?? 'nobody'}${digest ? `, ${digest.reason}` : ''}`,
    );
    if (client.endpoint === undefined || beginsAnew) {
      if (endpoint !== undefined && fleet.isAlive(endpoint)) client.endpoint = endpoint;
      else this.#lose(client, 'nobody answers');
      if (pool !== undefined && this.#leaving.get(vipKey(device, client.flow.targetAddress)) === pool)
        this.#lose(client, 'its vip is about to be served by another pool');
      if (this.#isPinnedElsewhere(client, device))
        this.#lose(client, "its last connection's pin is deleted on its switch, and on another not yet");
      client.isReopened = decision === 'pinned';
      client.isOldest = decision === 'stable';
    } else if (!client.isLost && endpoint !== client.endpoint) {
      judge.moved(client, device, verdict, endpoint);
      client.isLost = true;
    }
    if (digest) {
      this.stats.digests++;
      device.raise(digest, {
        heard: () => {
          client.isHeard = true;
          client.heardAt ??= clock.now();
          client.digestsLost = 0;
        },
        lost: () => this.#digestLost(client, digest.reason),
        mayBeLost: client.digestsLost < lossesInRow,
      });
    }
  }

  /** ECMP takes it to a switch that is in service, now and then to another than before. */
  #route(client: Client): Device {
    const { devices, dice, ecmp } = this.#world;
    const current = devices[client.device]!;
    const others = devices.filter((device) => device !== current && ecmp.isInService(device));
    if (others.length === 0) return current;
    const isForced = !ecmp.isInService(current);
    if (!isForced && !dice.moves.chance(this.#world.faults().moveRate)) return current;
    const next = dice.moves.pick(others);
    if (client.endpoint !== undefined && !this.#isKnownOn(client, current, next)) {
      if (!isForced) return current;
      this.#lose(client, 'its switch was withdrawn before others knew of it');
    }
    this.#note(client, `moves to switch ${next.index}`);
    client.device = next.index;
    return next;
  }

  /**
   * What a switch knows of a flow by its filters it knows alone. A flow is promised to survive a move when it is pinned, by
   * the time that takes on all switches; or when it came while its slot was stable, so that it belongs to base.
   */
  #isKnownOn(client: Client, current: Device, next: Device): boolean {
    const { clock, plan, judge, fleet } = this.#world;
    const { stallMs, clockLagMs } = plan.faults;
    const vip = current.mirror.vipOf(client.flow);
    const pinnedOn = (device: Device): boolean =>
      vip !== undefined && device.mirror.pin(vip.pool, client.flow) !== undefined;
    if (pinnedOn(current)) {
      const silentMs = clock.now() - client.lastSentAt;
      if (silentMs > plan.sessionTimeoutMs - stallMs - clockLagMs) return false;
      const both = [current, next];
      const since = Math.max(client.pinnedAt ?? clock.now(), ...both.map(({ gapAt }) => gapAt));
      const isWritten = clock.now() - since > this.#pinMs() && !both.some((d) => judge.unattended.has(d));
      return pinnedOn(next) || isWritten;
    }
    const slot = next.mirror.slotOf(client.flow);
    if (slot && !slot.unstable) {
      // Its owner has died, and the heir's row has not come to all switches.
      const owner = next.mirror.endpointOf(slot.backend);
      return owner === client.endpoint || fleet.isAlive(owner);
    }
    return client.isOldest && !client.isUdp;
  }

  /** Another switch has a pin for its 5-tuple that its own has not, and that leads elsewhere. */
  #isPinnedElsewhere({ flow, endpoint }: Client, device: Device): boolean {
    const pinOn = ({ mirror }: Device) => {
      const vip = mirror.vipOf(flow);
      return vip && mirror.pin(vip.pool, flow);
    };
    if (endpoint === undefined || pinOn(device) !== undefined) return false;
    return this.#world.devices.some((other) => {
      const pin = pinOn(other);
      return pin !== undefined && other.mirror.endpointOf(pin.backend) !== endpoint;
    });
  }

  /** A lost digest does no harm as long as the flow sends again soon. */
  #digestLost(client: Client, reason: string): void {
    const { clock, dice, isDeaf, engine } = this.#world;
    if (isDeaf) return;
    this.#note(client, `digest ${reason} lost`);
    if (reason === 'opening') {
      // Its pin still has the short life of a flow that ended, and nothing that it sends will tell.
      client.maxGapMs = Math.min(client.maxGapMs, engine.closingTimeoutMs * 0.9);
      client.isOpeningLost = true;
      return;
    }
    client.digestsLost++;
    clock.after(dice.talk.between(1, sendsAgainMs), () => {
      if (this.#clients.has(client)) this.#send(client, 'ack');
    });
  }

  #note(client: Client, what: string): void {
    this.#world.chronicle.note(flowTopic(client.flow), what);
  }
}

/** An opening packet of it has met an unstable slot, or a stable one, of which no filter slot takes notice. */
function noteFilters(client: Client, decision: Verdict['decision']): void {
  if (decision === 'stable') client.isInFilters = false;
  if (decision === 'new') client.isMistakable = false;
  if (decision === 'filter' && !client.isInFilters) client.isMistakable = true;
  if (decision === 'new' || decision === 'filter') client.isInFilters = true;
}

/** The switch has said, or is about to say, that the pin of this flow is idle. */
function isExpired(device: Device, { sourceAddress, sourcePort }: Client['flow'], now: number): boolean {
  if (device.mirror.pins.size === 0) return false;
  return device
    .idlePins(now)
    .some((pin) => pin.sourceAddress === sourceAddress && pin.sourcePort === sourcePort);
}

function vipKey({ index }: Device, address: Address): string {
  return `${index}/${address}`;
}
