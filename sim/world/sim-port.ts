// SPDX-License-Identifier: Apache-2.0
/**
 * What a controller process sees of a switch, with everything between the two that may go wrong.
 *
 * What it promises is what controller/ports/switch.ts promises, and no more: a write is answered once or never, updates of
 * one row arrive in their order, digests of one flow too, and nothing that was sent before a stream broke arrives after
 * the tables have been read again.
 */
import type { DigestReason, Millis, WriteFailure } from '../../controller/core/event.ts';
import type { RowUpdate, SwitchRow } from '../../controller/core/row.ts';
import type { SwitchEvent, SwitchPort, SwitchStatus } from '../../controller/ports/switch.ts';
import type { Dice } from '../kernel/dice.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import type { Digest } from '../switch/sim-switch.ts';
import type { Device, DigestFate, DigestListener } from './device.ts';
import type { Faults } from './faults.ts';
import { keyOf } from './mirror.ts';

/** `fate` is told whether the controller had room for a digest. */
export type PortListener = (event: SwitchEvent<SwitchRow>, fate?: DigestFate) => void;

/** What the world may be told to get wrong, so that a protective rule has nothing to protect (rules.ts). */
export interface PortLies {
  /** No digest arrives, and no flow sends again for it. */
  isDeafToDigests: boolean;
  /** Every write is said to have happened at once. */
  answersAtOnce: boolean;
  /** The switch removes its slot rows when the stream breaks. */
  forgetsUnattended: boolean;
}

export const noLies: PortLies = { isDeafToDigests: false, answersAtOnce: false, forgetsUnattended: false };

export interface PortWorld {
  clock: SimClock;
  /** In force just now: none, once it is quiet. */
  faults(): Faults;
  lies: PortLies;
  dice: { writes: Dice; digests: Dice; connections: Dice };
}

interface Request {
  at: Millis;
  updates: { update: RowUpdate<SwitchRow>; index: number }[];
  write: Write;
}

interface Write {
  number: number;
  requestsLeft: number;
  failures: WriteFailure[];
  size: number;
}

const ANSWER_MS = 20;
const BREAK_NOTICED_MS = 200;
/** Together with the longest `digestDelayMs` less than the engine's `staleDigestMs`. */
const DOUBLE_MS = 700;
const PIN_SWEEP_MS = 1_000;
const READ_MS = 5;
/** Keeps the order of what would happen at the same time. */
const TICK_MS = 0.001;

export class SimPort implements SwitchPort<SwitchRow>, DigestListener {
  /** Updates that no 'written' has answered; nobody asks when the stream is broken. */
  updatesInFlight = 0;
  readonly device: Device;
  readonly #world: PortWorld;
  #listener: PortListener = () => {};
  /** Counts streams: what belongs to an earlier one reaches nobody. */
  #stream = 0;
  #isOpen = false;
  #isClosed = false;
  /** `primaries` of the device when this one was primary last, or came to be. */
  #primariesSeen: number;
  /** The controller knows that the last stream broke, or there was none. */
  #isMissed = true;
  #requests = new Set<Request>();
  #lastOfRow = new Map<string, Millis>();
  #lastRequestAt = 0;
  /** What is asked before does not arrive before. */
  #busyUntil: Millis = 0;
  #lastOfFlow = new Map<number, Millis>();
  #digestsOnTheirWay = 0;

  constructor(device: Device, world: PortWorld) {
    this.device = device;
    this.#primariesSeen = device.primaries;
    this.#world = world;
  }

  // For the controller.

  start(listener: PortListener): void {
    this.#listener = listener;
  }

  write(number: number, updates: readonly RowUpdate<SwitchRow>[]): void {
    if (!this.#isOpen || updates.length === 0) return;
    const { clock, dice, lies } = this.#world;
    const faults = this.#world.faults();
    this.updatesInFlight += updates.length;
    const all = updates.map((update, index) => ({ update, index }));
    const isScattered = dice.writes.chance(faults.writeScatterRate);
    const parts = isScattered ? all.map((one) => [one]) : [all];
    const write = { number, requestsLeft: parts.length, failures: [], size: updates.length };
    const isOvertaking = dice.writes.chance(faults.writeReorderRate);
    for (const part of parts) {
      let at = clock.now() + dice.writes.between(0, faults.writeDelayMs);
      at = Math.max(at, this.#busyUntil);
      if (!isOvertaking && !isScattered) at = Math.max(at, this.#lastRequestAt + TICK_MS);
      for (const { update } of part)
        at = Math.max(at, (this.#lastOfRow.get(rowKeyOf(update)) ?? 0) + TICK_MS);
      this.#send({ at, updates: part, write });
    }
    if (lies.answersAtOnce) this.#answer(write, TICK_MS);
  }

  solicit(): void {
    // Nobody in this world answers ARP; load balancing does not wait for neighbours.
  }

  status(): SwitchStatus {
    return {
      target: `simulated switch ${this.device.index}`,
      connection: this.#isClosed ? 'closed' : this.#isOpen ? 'ready' : 'connecting',
      problem: undefined,
      notices: { received: 0, unreadable: 0 },
      traffic: undefined,
    };
  }

  close(): Promise<void> {
    if (this.#isOpen) this.break();
    this.#isClosed = true;
    return Promise.resolve();
  }

  // For fate.

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The controller becomes primary: it is told all that the switch holds. */
  open(): void {
    if (this.#isOpen || this.#isClosed) return;
    this.#isOpen = true;
    this.device.listener = this;
    this.#missBreak();
    const rows = this.device.read();
    const wasDeposed = this.device.primaries !== this.#primariesSeen;
    this.#primariesSeen = ++this.device.primaries;
    this.#tell({ kind: 'connected', rows, wasDeposed }, this.#world.dice.connections.between(0, READ_MS));
    const stream = this.#stream;
    this.#everyPinSweep(stream);
  }

  /** The switch does nothing of what it is asked for so long. */
  takeTime(ms: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, this.#world.clock.now() + ms);
  }

  /** The stream ends. What was on its way arrives, or does not; the controller hears of it a little later. */
  break(): void {
    if (!this.#isOpen) return;
    const { clock, dice } = this.#world;
    const rate = this.#world.faults().halfAppliedRate;
    this.#isOpen = false;
    this.#stream++;
    this.device.listener = undefined;
    const inOrder = [...this.#requests].sort((a, b) => a.at - b.at);
    this.#requests.clear();
    for (const { updates } of inOrder) {
      for (const { update } of updates) {
        if (dice.connections.chance(rate)) this.device.apply(update, clock.now());
      }
    }
    this.#lastOfRow.clear();
    this.#lastOfFlow.clear();
    this.#lastRequestAt = 0;
    this.#busyUntil = 0;
    this.#digestsOnTheirWay = 0;
    this.updatesInFlight = 0;
    this.#isMissed = false;
    if (this.#world.lies.forgetsUnattended) clock.after(TICK_MS, () => this.#forgetSlots());
    const stream = this.#stream;
    clock.after(dice.connections.between(0, BREAK_NOTICED_MS), () => {
      if (stream === this.#stream) this.#missBreak();
    });
  }

  #forgetSlots(): void {
    for (const row of this.device.read()) {
      if (row.table === 'slot' || row.table === 'slot_prefix')
        this.device.apply({ operation: 'delete', row }, this.#world.clock.now());
    }
  }

  /** The controller hears that the stream broke, if it has not heard yet. */
  #missBreak(): void {
    if (this.#isMissed) return;
    this.#isMissed = true;
    this.#listener({ kind: 'disconnected' });
  }

  hearDigest(digest: Digest, fate: DigestFate): void {
    const { lies, dice, clock } = this.#world;
    const faults = this.#world.faults();
    if (lies.isDeafToDigests) return;
    const isFull = faults.digestQueueLength > 0 && this.#digestsOnTheirWay >= faults.digestQueueLength;
    const isLost = dice.digests.chance(faults.digestLossRate);
    if ((isFull || isLost) && fate.mayBeLost) {
      fate.lost();
      return;
    }
    // One stream: digests of one flow do not overtake each other.
    const flow = (digest.sourceAddress * 65_536 + digest.sourcePort) * 64 + digest.pool;
    const soonest = clock.now() + dice.digests.between(0, faults.digestDelayMs);
    const at = Math.max(soonest, (this.#lastOfFlow.get(flow) ?? 0) + TICK_MS);
    this.#lastOfFlow.set(flow, at);
    this.#digestsOnTheirWay++;
    const event: SwitchEvent = { kind: 'flow-digest', ...digest };
    this.#tell(event, at - clock.now(), () => {
      this.#digestsOnTheirWay--;
      return fate;
    });
    if (isAboutPinning(digest.reason) && dice.digests.chance(faults.digestDoubleRate)) {
      this.#tell(event, at - clock.now() + dice.digests.between(0, DOUBLE_MS));
    }
  }

  // Within.

  #send(request: Request): void {
    const { clock } = this.#world;
    this.#requests.add(request);
    this.#lastRequestAt = Math.max(this.#lastRequestAt, request.at);
    for (const { update } of request.updates) this.#lastOfRow.set(rowKeyOf(update), request.at);
    clock.at(request.at, () => {
      if (!this.#requests.delete(request)) return;
      const { updates, write } = request;
      for (const { update, index } of updates) {
        const code = this.#attempt(update);
        if (code !== undefined) write.failures.push({ index, code, message: `simulated: ${code}` });
      }
      write.requestsLeft--;
      if (write.requestsLeft === 0 && !this.#world.lies.answersAtOnce) {
        this.#answer(write, this.#world.dice.writes.between(0, ANSWER_MS));
      }
    });
  }

  /** A failure is an answer that says nothing, or a refusal; the former may have happened all the same. */
  #attempt(update: RowUpdate<SwitchRow>): WriteFailure['code'] | undefined {
    const { clock, dice, lies } = this.#world;
    const rate = this.#world.faults().writeFailureRate;
    if (!lies.answersAtOnce && dice.writes.chance(rate)) {
      if (dice.writes.chance(0.3)) return 'rejected';
      if (dice.writes.chance(0.5)) this.device.apply(update, clock.now());
      return 'unavailable';
    }
    return this.device.apply(update, clock.now());
  }

  #answer(write: Write, delayMs: number): void {
    const { number, failures, size } = write;
    this.#tell({ kind: 'written', write: number, failures }, delayMs, () => {
      this.updatesInFlight -= size;
      return undefined;
    });
  }

  /** @param onArrival  called first */
  #tell(event: SwitchEvent<SwitchRow>, delayMs: number, onArrival?: () => DigestFate | undefined): void {
    const stream = this.#stream;
    this.#world.clock.after(delayMs, () => {
      if (stream !== this.#stream || !this.#isOpen) return;
      this.#listener(event, onArrival?.());
    });
  }

  #everyPinSweep(stream: number): void {
    const { clock } = this.#world;
    clock.after(PIN_SWEEP_MS, () => {
      if (stream !== this.#stream || this.#isClosed) return;
      for (const { pool, sourceAddress, sourcePort } of this.device.idlePins(clock.now())) {
        this.#listener({ kind: 'pin-idle', pool, sourceAddress, sourcePort });
      }
      this.#listener({ kind: 'admitted', flows: this.device.admitted });
      this.#everyPinSweep(stream);
    });
  }
}

function rowKeyOf({ row }: RowUpdate<SwitchRow>): string {
  return row.table === 'version' ? 'version' : `${row.table} ${keyOf(row)}`;
}

/** The others say that a flow ends or begins, and must not come after what has happened since. */
function isAboutPinning(reason: DigestReason): boolean {
  return reason === 'old' || reason === 'learn';
}
