// SPDX-License-Identifier: Apache-2.0
/** Why a backend gets nothing, less or all: one cause at a time. */

import { describe, expect, it } from 'vitest';
import { backendFacts } from './backend-facts.ts';
import type { Desired, DesiredBackend } from './desired.ts';
import type { BackendHealthStatus } from './health-status.ts';
import { backend, desired, flowInSlot, pool, Rig } from './testing/rig.ts';
import { type WhyBackend, type WhyContext, whyBackend } from './why-backend.ts';

const reachable: Partial<Desired> = {
  interfaces: [{ port: 1, address: 0x0a0000fe, prefixLength: 8, mac: 1, mtu: 0 }],
  neighbours: [1, 2, 3, 4, 5].map((number) => ({ address: 0x0a000000 + number, mac: number, port: 1 })),
};

function web(backends: DesiredBackend[], changes: Partial<Desired> = {}): Desired {
  return { ...desired(pool(backends)), ...reachable, ...changes };
}

const three = [1, 2, 3].map((number) => backend(number));

const well: WhyContext = {
  vip: 'web',
  backend: 'b2',
  lifecycle: {
    backend: 'b2',
    wish: 'active',
    weight: 100,
    deadlineMs: undefined,
    share: 1,
    fillMs: 0,
    replaces: undefined,
  },
  health: undefined,
  isPanicking: false,
  load: undefined,
  packets: 1_000,
  isAnnounced: undefined,
  switchProblem: undefined,
};

const checked: BackendHealthStatus = {
  backend: 'b2',
  state: 'down',
  stateMs: 12_000,
  verdict: 'dead',
  verdictMs: 12_000,
  failure: 'refused: connection refused',
  latencyMs: undefined,
  problem: undefined,
  penalty: 0,
  suppressedMs: undefined,
};

function why(rig: Rig, context: Partial<WhyContext> = {}): WhyBackend {
  const known = { ...well, ...context };
  return whyBackend(backendFacts(rig.state, rig.now, 'web', known.backend), known);
}

/** The first word, and the reasons that count. */
const told = ({ gets, reasons }: WhyBackend): string[] => [
  gets,
  ...reasons.map(({ gravity, text }) => `${gravity}: ${text}`),
];

it('has nothing to say about one that gets its share', () => {
  const answer = why(new Rig().start(web(three)));
  expect(answer).toMatchObject({
    gets: 'all',
    slotCount: 16,
    shareWanted: 1 / 3,
    packets: 1_000,
    reasons: [],
  });
  expect(answer.slots).toBeGreaterThanOrEqual(5);
});

describe('of configuration', () => {
  const lifecycle = well.lifecycle!;

  it('knows a drain, and until when', () => {
    const rig = new Rig().start(
      web(three.map((one) => (one.name === 'b2' ? { ...one, state: 'draining' } : one))),
    );
    expect(told(why(rig, { lifecycle: { ...lifecycle, wish: 'draining', deadlineMs: 90_000 } }))).toEqual([
      'nothing',
      'nothing: It is drained by configuration: no new connections, those it has go on; for 90 s more.',
    ]);
  });

  it('knows a weight of 0, and what would help', () => {
    const rig = new Rig().start(web(three.map((one) => (one.name === 'b2' ? { ...one, weight: 0 } : one))));
    const { gets, reasons } = why(rig, { lifecycle: { ...lifecycle, weight: 0 } });
    expect(gets).toBe('nothing');
    expect(reasons).toEqual([
      {
        gravity: 'nothing',
        text: 'Its weight is 0 by configuration: no new connections.',
        remedy: 'evenkeel weight web b2 1',
      },
    ]);
  });

  it('knows a weight that is less than a slot', () => {
    const heavy = three.map((one) =>
      one.name === 'b2' ? { ...one, weight: 1 } : { ...one, weight: 60_000 },
    );
    expect(told(why(new Rig().start(web(heavy))))).toEqual([
      'nothing',
      'nothing: Its weight, 1 of 120001 in all, is less than one of the 16 slots of the vip.',
    ]);
  });

  it('knows one that is removed, and one that never was', () => {
    const rig = new Rig().start(web(three));
    const slot = rig
      .rows('slot')
      .find(({ backend: id }) => rig.state.pools.get(1)!.backends.get(id)?.name === 'b2')!;
    rig.packet(flowInSlot(slot.slot), 'syn');
    rig.want(web(three.filter(({ name }) => name !== 'b2')));
    rig.pass(2_000);
    const removed = told(why(rig, { lifecycle: undefined }));
    expect(removed[0]).toBe('nothing');
    expect(removed[1]).toMatch(
      /^nothing: It is not configured any more; it stays until its \d+ pins and the flows of \d+ slots/,
    );
    expect(told(why(rig, { lifecycle: undefined, backend: 'b9' }))).toEqual([
      'unknown',
      'nothing: Vip web has no backend b9.',
    ]);
  });
});

describe('of its checks', () => {
  const down = web(three.map((one) => (one.name === 'b2' ? { ...one, state: 'down' } : one)));

  it('knows since when it is dead, and what it answered', () => {
    expect(told(why(new Rig().start(down), { health: checked }))).toEqual([
      'nothing',
      "nothing: Its checks find it dead for 12 s; it last answered 'refused: connection refused'.",
    ]);
  });

  it('knows one that flaps', () => {
    const health = {
      ...checked,
      state: 'up',
      verdict: 'avoided',
      failure: undefined,
      suppressedMs: 45_000,
    } as const;
    expect(told(why(new Rig().start(down), { health }))[1]).toBe(
      'nothing: It is held out for flapping, 45 s more if it does not fall again.',
    );
  });

  it('does not blame them where they are not believed', () => {
    const health = { ...checked, verdict: 'trusted' } as const;
    const answer = told(why(new Rig().start(web(three)), { health, isPanicking: true }));
    expect(answer[0]).toBe('all');
    expect(answer[1]).toMatch(/^note: Its checks fail for 12 s; .* none is believed \(floor\)\.$/);
  });
});

describe('of the tables', () => {
  it('follows a change from its row to its slots', () => {
    const rig = new Rig({ tcpSettleMs: 1_200 }).start(web([three[0]!, three[2]!]));
    rig.isHolding = true;
    rig.want(web(three));
    expect(told(why(rig)).slice(0, 2)).toEqual([
      'nothing',
      'nothing: The switch has not acknowledged its row in table backend yet.',
    ]);
    rig.isHolding = false;
    rig.answerAll();
    expect(told(why(rig))[1]).toBe('nothing: The change that gives it 5 slots is under way: settling.');
    rig.want(web([...three, backend(4)]));
    expect(told(why(rig, { backend: 'b4' }))[1]).toMatch(
      /^nothing: A change is under way that began without it \(settling\); \d slots come with the next one\.$/,
    );
    rig.pass(5_000);
    expect(why(rig).gets).not.toBe('nothing');
  });

  it('says what a change waits for', () => {
    const rig = new Rig().start(web([three[0]!, three[2]!]));
    rig.refuse = ({ row }) => (row.table === 'slot_version' ? 'full' : undefined);
    rig.want(web(three));
    const [, first] = told(why(rig));
    expect(first).toBe(
      'nothing: The change that gives it 5 slots waits for the time to try again after a failure.',
    );
  });

  it('says that it waits for a seat', () => {
    const rig = new Rig().start(
      web(three.map((one) => ({ ...one, state: one.name === 'b2' ? 'draining' : 'active' }))),
    );
    rig.pass(10_000);
    const state = rig.state.pools.get(1)!;
    state.lastDeathAt = rig.now;
    rig.want(web(three));
    const waiting = backendFacts(rig.state, rig.now, 'web', 'b2').backend!.seatWaitMs;
    expect(waiting).toBeGreaterThan(0);
    expect(told(why(rig))[1]).toMatch(
      /^nothing: It waits for the seat of a backend that dies, [\d.]+ s more at most/,
    );
  });

  it('says that it keeps the connections of slots that moved', () => {
    const rig = new Rig().start(web(three));
    rig.want(web(three.map((one) => (one.name === 'b2' ? { ...one, weight: 50 } : one))));
    rig.pass(5_000);
    expect(told(why(rig)).at(-1)).toMatch(
      /^note: \d slots that have moved away still send it the connections of before\.$/,
    );
  });
});

describe('of the way', () => {
  it('knows who does not answer, and what is not reached', () => {
    const rig = new Rig().start(web(three, { neighbours: [] }));
    rig.pass(20_000);
    expect(told(why(rig))[1]).toMatch(/^nothing: 10\.0\.0\.2 does not answer ARP or NDP \(asked \d+ times\)/);
    const far = new Rig().start(web(three, { interfaces: [] }));
    expect(told(why(far))[1]).toMatch(/^nothing: No interface and no route leads to it/);
  });

  it('knows a vip that is not announced, and a switch that is lost', () => {
    const rig = new Rig().start(web(three));
    expect(told(why(rig, { isAnnounced: false }))[1]).toBe(
      'nothing: Vip web is not announced: routers send it nothing.',
    );
    rig.send({ kind: 'disconnected' });
    expect(told(why(rig, { switchProblem: 'ECONNREFUSED' }))).toContain(
      'less: The controller has no hold of the switch (ECONNREFUSED): it forwards as it last did, and nothing changes.',
    );
  });
});

it('tells of load, of slow start, and of silence, behind what is graver', () => {
  const rig = new Rig().start(web(three));
  const lifecycle = { ...well.lifecycle!, share: 0.25, fillMs: 30_000 };
  const load = { weight: 128, configured: 256, load: 0.9 };
  expect(told(why(rig, { lifecycle, load, packets: 0, isAnnounced: false }))).toEqual([
    'nothing',
    'nothing: Vip web is not announced: routers send it nothing.',
    'less: It fills: 25 % of its weight for now, all of it in 30 s (slow_start).',
    'less: Its load makes its weight 0.50 times the configured one (load 0.90).',
    'note: The switch has sent b2 no packet yet: nobody whose connection falls into its slots has come.',
  ]);
});
