// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { type DigestRates, engineDefaults } from './core/options.ts';
import type { RowUpdate } from './core/row.ts';
import { backend, desired, pool, Rig } from './core/testing/rig.ts';
import { Engine } from './engine.ts';
import type { SwitchEvent, SwitchPort } from './ports/switch.ts';

function createEngine() {
  const written: (readonly RowUpdate[])[] = [];
  const turns: (() => void)[] = [];
  let tell: (event: SwitchEvent) => void = () => {};
  const limits: DigestRates[] = [];
  const switchPort: SwitchPort = {
    limit: (rates) => void limits.push(rates),
    start: (listener) => {
      tell = listener;
    },
    write: (_, updates) => void written.push(updates),
    solicit: () => {},
    status: () => ({
      target: 'none',
      connection: 'ready',
      problem: undefined,
      notices: { received: 0, unreadable: 0 },
      traffic: undefined,
    }),
    close: async () => {},
  };
  let now = 0;
  const logged: string[] = [];
  const clock = { now: () => now, date: () => new Date(0), after: () => () => {} };
  const engine = new Engine(
    engineDefaults,
    { clock, switchPort, log: (_, message) => void logged.push(message) },
    { later: (turn) => void turns.push(turn) },
  );
  engine.start();
  engine.want(desired(pool([backend(1)])), engineDefaults);
  const handleAll = (): void => {
    for (let turn = turns.shift(); turn; turn = turns.shift()) turn();
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { engine, written, limits, logged, tell: (event: SwitchEvent) => tell(event), handleAll, pass };
}

describe('an engine', () => {
  it('writes what is wanted once it is connected', () => {
    const { written, tell, handleAll } = createEngine();
    tell({ kind: 'connected', rows: [] });
    handleAll();
    expect(written.length).toBeGreaterThan(0);
  });

  it('tells the switch its rates as they are wanted, and none where none is', () => {
    const { engine, limits } = createEngine();
    expect(limits).toEqual([]);
    const digestRates = { flows: 100, neighbours: 10, answers: 1 };
    engine.want(desired(), { ...engineDefaults, digestRates });
    expect(limits).toEqual([digestRates]);
  });

  it('writes nothing more for a stream that has ended, though it has not come to that event yet', () => {
    const { engine, written, tell, handleAll } = createEngine();
    tell({ kind: 'connected', rows: [] });
    handleAll();
    written.length = 0;
    // What the first event leads to would reach the next stream, after the tables were read there.
    engine.want(desired(pool([backend(1), backend(2)])), engineDefaults);
    tell({ kind: 'disconnected' });
    handleAll();
    expect(written).toEqual([]);
    tell({ kind: 'connected', rows: [] });
    handleAll();
    expect(written.length).toBeGreaterThan(0);
  });

  it('that was stopped counts on no digest from before, whatever it handles first', () => {
    const { logged, tell, handleAll, pass } = createEngine();
    tell({ kind: 'connected', rows: [] });
    handleAll();
    pass(500);
    tell({ kind: 'admitted', flows: 0 });
    handleAll();
    expect(logged).not.toContain('the controller was stopped');
    pass(5_000);
    tell({ kind: 'admitted', flows: 0 });
    handleAll();
    expect(logged.filter((message) => message === 'the controller was stopped')).toHaveLength(1);
  });

  it('that was stopped believes no digest that has waited meanwhile: its connection may have ended', () => {
    const { engine, written, tell, handleAll, pass } = createEngine();
    const wanted = desired(pool([1, 2, 3].map((n) => backend(n))));
    const rig = new Rig().start(desired(pool([1, 2].map((n) => backend(n)))));
    rig.want(wanted);
    const { slot, backend: base } = rig.rows('slot').find((row) => row.unstable)!;
    engine.want(wanted, engineDefaults);
    tell({ kind: 'connected', rows: rig.switch.read() });
    handleAll();
    const digest = { kind: 'flow-digest', reason: 'old', pool: 1, slot, column: 0, backend: base } as const;
    const pinned = (sourcePort: number): number => {
      written.length = 0;
      tell({ ...digest, sourceAddress: 1, sourcePort });
      handleAll();
      return written.flat().filter(({ row }) => row.table === 'pin').length;
    };
    expect(pinned(1)).toBe(1);
    pass(5_000);
    expect(pinned(2)).toBe(0);
    pass(1_000);
    expect(pinned(2)).toBe(1);
  });
});
