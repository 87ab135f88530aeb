// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { status } from './core/status.ts';
import { backend, desired, pool, Rig } from './core/testing/rig.ts';
import { ManualClock } from './group/testing/manual-clock.ts';
import { happenings, happeningsMax } from './happenings.ts';
import { History, sampleIntervalMs, samplesMax } from './history.ts';
import type { SwitchStatus } from './ports/switch.ts';

const three = [backend(1), backend(2), backend(3)];
const four = [...three, backend(4)];

function watch() {
  const rig = new Rig({ seatHoldMs: 0, seatWaitMs: 0 }).start(desired(pool(three)));
  const clock = new ManualClock();
  const lines: string[] = [];
  const commits: number[] = [];
  const history = new History({
    clock,
    log: (_, message, fields, topic) => lines.push(`${topic}: ${message} ${JSON.stringify(fields)}`),
    engine: () => status(rig.state, rig.now),
    target: () => ({ notices: { received: 7, unreadable: 0 } }) as SwitchStatus,
    onCommit: ({ movedSlots }) => commits.push(movedSlots),
  });
  history.start();
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += sampleIntervalMs) {
      rig.pass(sampleIntervalMs);
      clock.pass(sampleIntervalMs);
    }
  };
  return { rig, history, lines, commits, pass };
}

describe('a history', () => {
  it('has a change from its commit to its merge, and says what happened', () => {
    const { rig, history, lines, commits, pass } = watch();
    pass(2_000);
    rig.want(desired(pool(four)));
    pass(2_000);
    expect(history.samples().map(({ unstableSlots }) => unstableSlots)).toEqual([0, 0, 0, 4, 4]);
    expect(history.samples().at(-1)).toMatchObject({ commits: 1, notices: 7, lastCommitMs: 0 });
    expect(commits).toEqual([4]);
    expect(lines).toEqual(['backend: backend added {"pool":"web","backend":"b4","weight":100}']);
    lines.length = 0;
    pass(3_600_000);
    expect(lines).toEqual([
      'merge: merged: every slot is stable again {"pool":"web","slots":4,"unstableSlots":0}',
    ]);
    expect(history.samples()).toHaveLength(samplesMax);
    expect(history.samples().at(-1)).toMatchObject({ unstableSlots: 0, mergedSlots: 4 });
  });

  it("tells a backend's way out", () => {
    const { rig, lines, pass } = watch();
    rig.want(desired(pool([backend(1, { state: 'draining' }), backend(2), backend(3)])));
    pass(3_600_000);
    expect(lines.filter((line) => line.startsWith('backend'))).toEqual([
      'backend: backend drains: no new connections {"pool":"web","backend":"b1","weight":100}',
      'backend: backend has drained: it may be stopped {"pool":"web","backend":"b1","weight":100}',
    ]);
    lines.length = 0;
    rig.want(desired(pool([backend(2), backend(3)])));
    pass(60_000);
    expect(lines).toEqual([expect.stringMatching(/^backend: backend (leaves|forgotten).*"b1"/)]);
    lines.length = 0;
    rig.want(desired(pool([backend(2, { state: 'down' }), backend(3)])));
    pass(2_000);
    expect(lines[0]).toBe(
      'backend: backend is down: its connections are lost {"pool":"web","backend":"b2","weight":100}',
    );
  });

  it('says of many backends only how many they are', () => {
    const before = status(new Rig().start(desired(pool(three))).state, 0);
    const many = Array.from({ length: 60 }, (_, i) => ({ ...before.pools[0]!.backends[0]!, id: 100 + i }));
    const after = {
      ...before,
      pools: [{ ...before.pools[0]!, backends: [...before.pools[0]!.backends, ...many] }],
    };
    const found = happenings(before, after);
    expect(found).toHaveLength(happeningsMax + 1);
    expect(found.at(-1)).toMatchObject({ fields: { more: 40 } });
  });

  it('takes an engine that has just begun for no change', () => {
    const running = status(new Rig().start(desired(pool(three))).state, 0);
    expect(happenings({ ...running, state: 'waiting', pools: [] }, running)).toEqual([]);
    expect(happenings(running, { ...running, state: 'disconnected', pools: [] })).toEqual([]);
  });
});
