// SPDX-License-Identifier: Apache-2.0
/**
 * The clients of servers that die: `client.js ADDRESS PORT`. Some connections talk all the time, some hardly ever, and newcomers come at a
 * steady pace; all that goes otherwise than it should is reported with its time.
 */
import { reportToParent, takeCommands } from '../host-process.ts';
import { LineReader } from '../load/message.ts';
import { dialSocket } from '../socket-stream.ts';
import type { Stream, StreamEnd } from '../stream.ts';
import { type ClientReport, lateMs, type Sort } from './message.ts';

const counts: Readonly<Record<Sort, number>> = { talking: 120, quiet: 80 };
const pauseMs: Readonly<Record<Sort, number>> = { talking: 200, quiet: 8_000 };
const newcomerEveryMs = 20;
/** After so long, at the next answer, a connection is replaced: so that one who came back has some. */
const lifeMs: Readonly<Record<Sort, readonly [least: number, most: number]>> = {
  talking: [4_000, 12_000],
  quiet: [16_000, 32_000],
};
/** A newcomer who has waited so long gives up. */
const patienceMs = 10_000;
/** Who lost a connection opens another after this. */
const reopenMs = 1_000;
const summaryMs = 500;

const [address, port] = process.argv.slice(2) as [string, string];
const dial = dialSocket(address, Number(port));
const open: Record<Sort, Map<Stream, string>> = { talking: new Map(), quiet: new Map() };
let newcomers = 0;

for (const sort of ['talking', 'quiet'] as const)
  for (let i = 0; i < counts[sort]; i++) setTimeout(() => stay(sort), 10 * i);
setInterval(comeAndGo, newcomerEveryMs);
setInterval(() => {
  say({ kind: 'summary', open: { talking: byServer('talking'), quiet: byServer('quiet') }, newcomers });
}, summaryMs);
takeCommands<never>(() => {});
say({ kind: 'ready' });

function stay(sort: Sort): void {
  const reader = new LineReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let number = 0;
  let server: string | undefined;
  let answeredAt = 0;
  let isOver = false;
  const [least, most] = lifeMs[sort];
  const endsAt = Date.now() + least + (most - least) * Math.random();
  const ask = () => stream.write(Buffer.from(`${++number}\n`));
  const leave = () => {
    isOver = true;
    open[sort].delete(stream);
    stream.end();
    stay(sort);
  };
  const end = (how: string) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    open[sort].delete(stream);
    stream.destroy();
    // One that never had a server was no more than a newcomer.
    if (server !== undefined) say({ kind: 'broken', sort, server, how, answeredAt, at: Date.now() });
    setTimeout(() => stay(sort), reopenMs);
  };
  const stream = dial({
    opened: ask,
    data(bytes) {
      for (const line of reader.read(bytes)) {
        const [answered, name = ''] = line.split(' ');
        if (Number(answered) !== number || (server !== undefined && server !== name)) return end('moved');
        server = name;
        answeredAt = Date.now();
        if (answeredAt >= endsAt) return leave();
        open[sort].set(stream, name);
        timer = setTimeout(ask, pauseMs[sort] * (0.9 + 0.2 * Math.random()));
      }
    },
    closed: (how: StreamEnd) => end(how),
  });
}

function comeAndGo(): void {
  const reader = new LineReader();
  const from = Date.now();
  let isOver = false;
  newcomers++;
  const end = (how: string, server?: string) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    const at = Date.now();
    if (server === undefined) stream.destroy();
    else stream.end();
    if (server === undefined || at - from > lateMs) say({ kind: 'harmed', how, from, at, server });
  };
  const timer = setTimeout(() => end('gave up'), patienceMs);
  const stream = dial({
    opened: () => stream.write(Buffer.from('1\n')),
    data(bytes) {
      for (const line of reader.read(bytes)) end('late', line.split(' ')[1]);
    },
    closed: (how: StreamEnd) => end(how),
  });
}

function byServer(sort: Sort): Record<string, number> {
  const result: Record<string, number> = {};
  for (const server of open[sort].values()) result[server] = (result[server] ?? 0) + 1;
  return result;
}

function say(report: ClientReport): void {
  reportToParent(report);
}
