// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { WriteSpeedometer } from './write-speed.ts';

it('assumes a speed until it has seen enough', () => {
  const meter = new WriteSpeedometer();
  expect(meter.speed()).toEqual({ updatesPerSecond: 5_000, isMeasured: false });
  meter.sent(1, 3, 0);
  meter.answer(1, 900);
  expect(meter.speed().isMeasured).toBe(false);
});

it('counts updates for the time in which some were unanswered', () => {
  const meter = new WriteSpeedometer();
  meter.sent(1, 500, 1_000);
  meter.sent(2, 500, 1_010);
  meter.answer(1, 1_050);
  meter.answer(2, 1_100);
  // Idle for a while, and nobody waits for what was lost with a connection.
  meter.sent(3, 500, 5_000);
  meter.forget();
  meter.answer(3, 9_000);
  expect(meter.speed()).toEqual({ updatesPerSecond: 10_000, isMeasured: true });
});

it('follows a switch that has become slower', () => {
  const meter = new WriteSpeedometer();
  for (let write = 0; write < 400; write++) {
    meter.sent(write, 1_000, write * 1_000);
    meter.answer(write, write * 1_000 + (write < 200 ? 10 : 100));
  }
  expect(meter.speed().updatesPerSecond).toBeLessThan(10_100);
});
