// SPDX-License-Identifier: Apache-2.0
/**
 * The worker thread of a switch: owns the compiled pipeline and the packet sockets, and sleeps in poll(2) on them.
 * Its event loop never turns; requests are taken when the doorbell has been rung.
 */

import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ProgramError } from '../engine/pipeline.ts';
import { capturePorts } from '../ports/capture.ts';
import { openDoorbell } from '../ports/doorbell.ts';
import { runLoop } from '../ports/loop.ts';
import { openPacketPorts } from '../ports/packet-socket.ts';
import type { Ports } from '../ports/port.ts';
import { BatchClock } from './batch-clock.ts';
import { idleSweepMs, settingsOf } from './host.ts';
import { Runner } from './runner.ts';
import {
  outputsInFlightMax,
  requestsPosted,
  requestsTaken,
  type WorkerAnswer,
  type WorkerMessage,
  type WorkerRequest,
  type WorkerSetup,
} from './worker-messages.ts';

/** How long an output may wait for company when there is little to do. */
const outputTickMs = 20;

run(workerData as WorkerSetup);

function run(setup: WorkerSetup): void {
  const { channel, outputsTaken, requests } = setup;
  const doorbell = openDoorbell(setup.doorbell);
  const ports = openPorts(setup, doorbell);
  const start = performance.now();
  const clock = new BatchClock(() => (performance.now() - start) * 1000);
  const runner = new Runner({
    ...settingsOf(setup),
    nowMicros: () => clock.read(),
    send: (port, frame) => ports.send(port, frame),
    queueDepth: (port) => ports.queuedFrames(port),
  });
  let outputsPosted = 0;
  let taken = 0;
  let isStopping = false;
  let nextSweepMs = performance.now() + idleSweepMs;

  const post = (message: WorkerMessage) => channel.postMessage(message);

  const postOutput = () => {
    if (!runner.hasOutput) return;
    if (outputsPosted - Atomics.load(outputsTaken, 0) >= outputsInFlightMax) return;
    outputsPosted += 1;
    post({ kind: 'output', output: runner.takeOutput() });
  };

  const answer = (request: Exclude<WorkerRequest, { kind: 'inject' | 'apply' | 'stop' }>): WorkerAnswer => {
    switch (request.kind) {
      case 'stage':
        return runner.stage(request.json);
      case 'commit':
        return runner.commit(request.carry);
      case 'sync':
        return undefined;
      case 'read-counters':
        return runner.readCounters(request.counter, request.firstIndex, request.count);
      case 'read-direct-counters':
        return runner.readDirectCounters(request.table, request.handles);
      case 'read-registers':
        return runner.readRegisters(request.register, request.firstIndex, request.count);
      case 'read-idle-micros':
        return runner.readIdleMicros(request.table, request.handles);
      case 'port-counters':
        return ports.counters();
      case 'watch':
        return runner.watch(request.watch, request.request);
      case 'unwatch':
        runner.unwatch(request.watch);
        return undefined;
    }
  };

  const takeRequests = () => {
    while (!isStopping) {
      const received = receiveMessageOnPort(channel) as { message: WorkerRequest } | undefined;
      if (received === undefined) break;
      const { message: request } = received;
      taken = (taken + 1) | 0;
      Atomics.store(requests, requestsTaken, taken);
      if (request.kind === 'stop') {
        isStopping = true;
        break;
      }
      if (request.kind === 'inject') {
        runner.process(request.port, request.frame);
        continue;
      }
      if (request.kind === 'apply') {
        runner.apply(request.operations);
        continue;
      }
      try {
        post({ kind: 'answer', id: request.id, answer: answer(request) });
      } catch (cause) {
        if (!(cause instanceof ProgramError)) throw cause;
        post({ kind: 'problems', id: request.id, problems: cause.problems });
      }
    }
  };

  const onControl = (): 'continue' | 'stop' => {
    clock.expire();
    takeRequests();
    postOutput();
    return isStopping ? 'stop' : 'continue';
  };

  const onFrame = (port: number, frame: Uint8Array) => {
    // A Write may have been answered before this frame came, which must see it.
    if (Atomics.load(requests, requestsPosted) !== taken) takeRequests();
    runner.process(port, frame);
  };

  post({ kind: 'ready' });
  runLoop({
    ports: aroundPoll(ports, () => clock.expire(), postOutput),
    doorbell,
    onFrame,
    onControl,
    tickIntervalMs: outputTickMs,
    onTick: (nowMs) => {
      clock.expire();
      postOutput();
      if (nowMs < nextSweepMs) return;
      nextSweepMs = nowMs + idleSweepMs;
      const { generation, applied } = runner;
      post({ kind: 'idle', generation, entries: runner.idleEntries(), applied });
    },
  });
  ports.close();
  channel.close();
}

function openPorts(
  { interfaces, captureDirectory }: WorkerSetup,
  doorbell: ReturnType<typeof openDoorbell>,
): Ports {
  const ports = openPacketPorts(interfaces, { doorbell });
  return captureDirectory === undefined ? ports : capturePorts(ports, interfaces, captureDirectory);
}

/** Does something before each batch of frames, and after it, when what they caused is complete. */
function aroundPoll(ports: Ports, beforePoll: () => void, afterPoll: () => void): Ports {
  return {
    send: (port, frame) => ports.send(port, frame),
    flush: () => ports.flush(),
    queuedFrames: (port) => ports.queuedFrames(port),
    counters: () => ports.counters(),
    close: () => ports.close(),
    poll(timeoutMs, receive) {
      beforePoll();
      const frames = ports.poll(timeoutMs, receive);
      if (frames > 0) afterPoll();
      return frames;
    },
  };
}
