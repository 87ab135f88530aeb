// SPDX-License-Identifier: Apache-2.0
/**
 * The clients: long-lived connections that talk all the time, and a stream of short ones. Each answer is checked for
 * content, order and the name of the server, which must never change within a connection.
 */

import { answerPayload, encodeMessage, type Message, MessageReader, requestPayload } from './message.ts';
import { type Random, seededRandom } from './random.ts';
import type { Dial, Stream, StreamEnd } from './stream.ts';

export interface TrafficOptions {
  /** Connections kept open at the same time; one that ends is replaced. */
  longConnections: number;
  /** The long connections are opened over this time. */
  rampMs: number;
  shortPerSecond: number;
  /** Pause between two requests of a talkative connection. */
  steadyMs: { min: number; max: number };
  /** The longest a connection is silent. Must stay below the session timeout. */
  idleMsMax: number;
  /** One in so many long connections ends in order after `lifeMs` and is replaced, so that some are born in every commit. */
  mortalOneIn: number;
  lifeMs: { min: number; max: number };
  /** A request that has no answer for so long counts as a broken connection. */
  answerTimeoutMs: number;
  seed: number;
}

export const trafficDefaults: Readonly<TrafficOptions> = {
  longConnections: 540,
  rampMs: 5_000,
  shortPerSecond: 25,
  steadyMs: { min: 500, max: 1_600 },
  idleMsMax: 8_000,
  mortalOneIn: 4,
  lifeMs: { min: 4_000, max: 20_000 },
  answerTimeoutMs: 10_000,
  seed: 1,
};

/** answered-wrong: damaged, out of order, or not ours. moved: another server answered. */
export type BreakReason = 'refused' | 'reset' | 'closed' | 'failed' | 'silent' | 'answered-wrong' | 'moved';

/** A connection that ended otherwise than we asked for. Who is to blame is for the reader of this to find out. */
export interface BrokenConnection {
  kind: 'long' | 'short';
  localPort: number;
  reason: BreakReason;
  detail: string;
  /** The server's name, undefined before its first answer. */
  server: string | undefined;
  openedAt: number;
  brokenAt: number;
  answers: number;
}

export interface TrafficSummary {
  /** Open now, and known to be, for at least one answer. */
  longOpen: number;
  shortOpen: number;
  /** Opened since the start. */
  longTotal: number;
  shortTotal: number;
  finished: number;
  broken: number;
  answers: number;
  bytes: number;
  /** Open long connections by server. */
  servers: Record<string, number>;
}

export interface Traffic {
  summary(): TrafficSummary;
  /** Opens no new connections from now on; those that are open go on talking. */
  calm(): void;
  /** Ends every connection in order and resolves when they are gone, or their answers overdue. */
  stop(): Promise<void>;
}

type Mood = 'steady' | 'quiet' | 'bursty';

interface Connection {
  id: number;
  kind: 'long' | 'short';
  mood: Mood;
  random: Random;
  stream: Stream;
  reader: MessageReader;
  openedAt: number;
  /** In order, on our own wish. */
  endsAt: number;
  server: string | undefined;
  nextNumber: number;
  /** Asked and not yet answered, oldest first. */
  outstanding: { number: number; askedAt: number }[];
  answers: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Asks no more. */
  isEnding: boolean;
  /** Our side is finished; the server's end is outstanding. */
  isFinished: boolean;
}

/** Stand in `outstanding` for what is no request. */
const handshake = 0;
const goodEnd = -1;

/** A burst asks so many questions at once; nothing is asked while so many are unanswered. */
const burstRequests = 5;
const scanMs = 250;
/** The connections are ended over this time. */
const stopMs = 2_500;
/** When answers stay away, short connections pile up to here. */
const shortOpenMax = 1_000;

/** @param now  milliseconds; the same clock stamps `BrokenConnection` */
export function startTraffic(
  options: TrafficOptions,
  dial: Dial,
  now: () => number,
  onBroken: (broken: BrokenConnection) => void,
): Traffic {
  const dice = seededRandom(options.seed);
  const connections = new Set<Connection>();
  const totals = { long: 0, short: 0, finished: 0, broken: 0, answers: 0, bytes: 0 };
  const pending = new Set<ReturnType<typeof setTimeout>>();
  let isCalm = false;
  let nextId = 1;
  let shortOpen = 0;

  const later = (delayMs: number, run: () => void) => {
    const timer = setTimeout(() => {
      pending.delete(timer);
      run();
    }, delayMs);
    pending.add(timer);
  };

  for (let i = 0; i < options.longConnections; i++) {
    later((options.rampMs * i) / options.longConnections, () => open('long'));
  }
  const shortTimer = setInterval(() => {
    if (!isCalm && shortOpen < shortOpenMax) open('short');
  }, 1_000 / options.shortPerSecond);
  const scanTimer = setInterval(scan, scanMs);

  function open(kind: 'long' | 'short'): void {
    if (isCalm) return;
    const id = nextId++;
    const random = seededRandom(dice.next());
    const isMortal = kind === 'long' && random.next() % options.mortalOneIn === 0;
    const lifeMs = isMortal
      ? random.between(options.lifeMs.min, options.lifeMs.max)
      : Number.POSITIVE_INFINITY;
    const connection: Omit<Connection, 'stream'> = {
      id,
      kind,
      mood: kind === 'short' ? 'steady' : moodOf(random),
      random,
      reader: new MessageReader(),
      openedAt: now(),
      endsAt: now() + lifeMs,
      server: undefined,
      nextNumber: 1,
      outstanding: [],
      answers: 0,
      timer: undefined,
      isEnding: false,
      isFinished: false,
    };
    const opened = connection as Connection;
    opened.outstanding.push({ number: handshake, askedAt: now() });
    opened.stream = dial({
      opened() {
        opened.outstanding.shift();
        if (opened.isEnding) finish(opened);
        else ask(opened);
      },
      data: (bytes) => hear(opened, bytes),
      closed: (how) => closed(opened, how),
    });
    connections.add(opened);
    totals[kind] += 1;
    if (kind === 'short') shortOpen += 1;
  }

  function ask(connection: Connection): void {
    if (connection.isEnding) return;
    if (now() >= connection.endsAt) {
      end(connection);
      return;
    }
    const room = burstRequests - connection.outstanding.length;
    const count = Math.min(connection.mood === 'bursty' ? burstRequests : 1, room);
    for (let i = 0; i < count; i++) {
      const number = connection.nextNumber++;
      const payload = requestPayload(connection.id, number);
      connection.outstanding.push({ number, askedAt: now() });
      connection.stream.write(encodeMessage({ kind: 'request', connection: connection.id, number, payload }));
    }
    if (connection.kind === 'long') {
      connection.timer = setTimeout(() => ask(connection), pauseMs(connection));
    }
  }

  function pauseMs({ mood, random }: Connection): number {
    const { steadyMs, idleMsMax } = options;
    if (mood === 'steady') return random.between(steadyMs.min, steadyMs.max);
    return random.between(idleMsMax / 2, idleMsMax);
  }

  function hear(connection: Connection, bytes: Uint8Array): void {
    totals.bytes += bytes.length;
    let messages: Message[];
    try {
      messages = connection.reader.read(bytes);
    } catch (error) {
      broken(connection, 'answered-wrong', (error as Error).message);
      return;
    }
    for (const message of messages) {
      if (!connections.has(connection)) return;
      if (message.kind === 'goodbye') end(connection);
      else check(connection, message);
    }
  }

  function check(connection: Connection, message: Exclude<Message, { kind: 'goodbye' }>): void {
    const asked = connection.outstanding[0];
    const number = asked?.number ?? -1;
    if (message.kind !== 'answer' || message.connection !== connection.id || message.number !== number) {
      const got = `${message.kind} ${message.number} of connection ${message.connection}`;
      broken(connection, 'answered-wrong', `${got} instead of answer ${number} of ${connection.id}`);
      return;
    }
    if (connection.server !== undefined && connection.server !== message.server) {
      broken(connection, 'moved', `from ${connection.server} to ${message.server}`);
      return;
    }
    const expected = answerPayload(requestPayload(connection.id, number));
    if (Buffer.compare(message.payload, expected) !== 0) {
      broken(connection, 'answered-wrong', `the payload of answer ${number} differs`);
      return;
    }
    connection.server = message.server;
    connection.answers += 1;
    totals.answers += 1;
    connection.outstanding.shift();
    if (connection.outstanding.length === 0 && (connection.isEnding || connection.kind === 'short'))
      finish(connection);
  }

  /** Asks no more; leaves when the last answer is here. */
  function end(connection: Connection): void {
    if (!connections.has(connection)) return;
    connection.isEnding = true;
    clearTimeout(connection.timer);
    if (connection.outstanding.length === 0) finish(connection);
  }

  /** A connection is well only when its end was answered too. */
  function finish(connection: Connection): void {
    if (connection.isFinished) return;
    connection.isFinished = true;
    connection.outstanding.push({ number: goodEnd, askedAt: now() });
    connection.stream.end();
  }

  function closed(connection: Connection, how: StreamEnd): void {
    if (!connections.has(connection)) return;
    if (connection.isFinished && how === 'ended') {
      totals.finished += 1;
      forget(connection);
    } else {
      broken(connection, how === 'ended' ? 'closed' : how, `after ${connection.answers} answers`);
    }
  }

  function broken(connection: Connection, reason: BreakReason, detail: string): void {
    totals.broken += 1;
    connection.stream.destroy();
    forget(connection);
    const { kind, server, openedAt, answers } = connection;
    const { localPort } = connection.stream;
    onBroken({ kind, localPort, reason, detail, server, openedAt, brokenAt: now(), answers });
  }

  function forget(connection: Connection): void {
    clearTimeout(connection.timer);
    if (!connections.delete(connection)) return;
    if (connection.kind === 'short') shortOpen -= 1;
    else if (!isCalm) later(options.rampMs / 10, () => open('long'));
  }

  function scan(): void {
    for (const connection of connections) {
      const asked = connection.outstanding[0];
      if (asked !== undefined && now() - asked.askedAt > options.answerTimeoutMs) {
        broken(
          connection,
          'silent',
          `${nameOf(asked.number)} has no answer for ${options.answerTimeoutMs} ms`,
        );
      }
    }
  }

  return {
    summary() {
      const servers: Record<string, number> = {};
      let longOpen = 0;
      for (const { kind, server } of connections) {
        if (kind !== 'long' || server === undefined) continue;
        longOpen += 1;
        servers[server] = (servers[server] ?? 0) + 1;
      }
      const { long, short, ...rest } = totals;
      return { longOpen, shortOpen, longTotal: long, shortTotal: short, ...rest, servers };
    },
    calm() {
      isCalm = true;
    },
    async stop() {
      isCalm = true;
      clearInterval(shortTimer);
      for (const timer of pending) clearTimeout(timer);
      // One by one: a switch with short queues loses most of a volley, and again when all repeat it together.
      const all = [...connections];
      for (const [i, connection] of all.entries()) later((stopMs * i) / all.length, () => end(connection));
      while (connections.size > 0) await new Promise((resolve) => setTimeout(resolve, scanMs));
      clearInterval(scanTimer);
    },
  };
}

function nameOf(number: number): string {
  if (number === handshake) return 'the handshake';
  return number === goodEnd ? 'the end' : `request ${number}`;
}

function moodOf(random: Random): Mood {
  const roll = random.next() % 10;
  if (roll < 7) return 'steady';
  return roll < 9 ? 'quiet' : 'bursty';
}
