// SPDX-License-Identifier: Apache-2.0
/**
 * The loop of a switch: frames, control messages and ticks on one thread, asleep in poll(2) when there is nothing to do.
 *
 * It blocks its thread, so it belongs into a worker. The main thread posts a message and rings the doorbell;
 * `onControl` then takes the message with `receiveMessageOnPort`, because the worker's own event loop never runs.
 */

import type { Doorbell } from './doorbell.ts';
import type { Ports, ReceiveFrame } from './port.ts';

export interface LoopOptions {
  ports: Ports;
  onFrame: ReceiveFrame;
  /** Must also have been given to the ports (`openPacketPorts(..., { doorbell })`), or it wakes nobody. */
  doorbell: Doorbell;
  /** The doorbell was rung: take all messages that are waiting. 'stop' ends the loop. */
  onControl: () => 'continue' | 'stop';
  /** Called about every `tickIntervalMs`, never while a frame is being processed. */
  onTick?: (nowMs: number) => void;
  tickIntervalMs?: number;
  /** The longest sleep. A worker that is terminated from outside notices only between two sleeps. */
  sleepMsMax?: number;
}

export const loopDefaults = { tickIntervalMs: 100, sleepMsMax: 500 } as const;

/** Runs until `onControl` says stop. What a callback throws ends the loop and is thrown on. */
export function runLoop(options: LoopOptions): void {
  const { ports, doorbell, onFrame, onControl, onTick } = options;
  const tickIntervalMs = options.tickIntervalMs ?? loopDefaults.tickIntervalMs;
  const sleepMsMax = options.sleepMsMax ?? loopDefaults.sleepMsMax;
  let nextTickMs = performance.now() + tickIntervalMs;
  for (;;) {
    if (doorbell.clear() && onControl() === 'stop') break;
    let sleepMs = sleepMsMax;
    if (onTick !== undefined) {
      const nowMs = performance.now();
      if (nowMs >= nextTickMs) {
        onTick(nowMs);
        nextTickMs = nowMs + tickIntervalMs;
      }
      sleepMs = Math.min(sleepMs, Math.ceil(nextTickMs - nowMs));
    }
    ports.poll(sleepMs, onFrame);
  }
  ports.flush();
}
