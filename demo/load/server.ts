// SPDX-License-Identifier: Apache-2.0
/**
 * A server of so many CPUs: `server.js NAME CPUS PORT STATUS_PORT`. Its CPUs are a model (sim/load/processor.ts) that runs in real time, so
 * that a machine with two cores can have servers of fifteen: a request takes as long as it would with so many others on so many CPUs.
 * What it tells of its load over HTTP is JSON at /status and Prometheus' text at /metrics.
 */
import { createServer } from 'node:http';
import { Processor } from '../../sim/load/processor.ts';
import { reportToParent, takeCommands } from '../host-process.ts';
import { listenSocket } from '../socket-stream.ts';
import type { Stream } from '../stream.ts';
import { LineReader, type ServerReport } from './message.ts';
import { toldOverMs } from './parameters.ts';

interface Request {
  number: string;
  stream: Stream;
}

const reportMs = 1_000;
/** Requests under way: more than users can be there. */
const requestsMax = 10_000;
const costMsMax = 10_000;

const [name, cpus, port, statusPort] = process.argv.slice(2) as [string, string, string, string];
const processor = new Processor<Request>(Number(cpus), toldOverMs, performance.now());
const open = new Set<Stream>();
let timer: ReturnType<typeof setTimeout> | undefined;

await listenSocket(Number(port), (stream) => {
  const reader = new LineReader();
  open.add(stream);
  return {
    data(bytes) {
      advance();
      for (const line of reader.read(bytes)) {
        const [number = '', cost] = line.split(' ');
        const costMs = Number(cost);
        if (!(costMs >= 0 && costMs <= costMsMax) || processor.runnable >= requestsMax) stream.destroy();
        else processor.arrive(costMs, { number, stream });
      }
      wakeForNext();
    },
    closed() {
      open.delete(stream);
      stream.end();
    },
  };
});

function advance(): void {
  for (const { job } of processor.advance(performance.now()))
    if (open.has(job.stream)) job.stream.write(Buffer.from(`${job.number} ${name}\n`));
}

function wakeForNext(): void {
  clearTimeout(timer);
  const at = processor.nextDoneAt;
  if (!Number.isFinite(at)) return;
  timer = setTimeout(
    () => {
      advance();
      wakeForNext();
    },
    Math.max(0, at - performance.now()),
  );
}

createServer((request, response) => {
  advance();
  wakeForNext();
  const { load, runnable } = processor;
  if (request.url === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`# TYPE runnable_over_cpus gauge\nrunnable_over_cpus ${load}\n`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ load, runnable, cpus: processor.cpus }));
}).listen(Number(statusPort), '0.0.0.0', () => reportToParent<ServerReport>({ kind: 'ready' }));

setInterval(() => {
  advance();
  wakeForNext();
  const { load, busyMs } = processor;
  reportToParent<ServerReport>({ kind: 'load', load, busyMs, open: open.size });
}, reportMs);
takeCommands<never>(() => {});
