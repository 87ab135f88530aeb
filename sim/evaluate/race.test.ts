// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { NO_STATE, type System } from '../rivals/system.ts';
import { createWorkload, workloadW } from '../workload/workload.ts';
import { race } from './race.ts';
import { rivalsOf } from './rivals.ts';

/** A fiftieth of W's flows on all of its servers and slots. */
const small = { ...workloadW, concurrentFlows: 2_000, durationMs: 300_000 };

function run(options: typeof small, failAt?: number) {
  const workload = createWorkload(options);
  const { tables, systems } = rivalsOf(workload, options);
  const result = race(workload, tables, systems, { durationMs: options.durationMs, failAt });
  return { result, outcomes: new Map(result.outcomes.map((outcome) => [outcome.system, outcome])) };
}

describe('a race', () => {
  const { result, outcomes } = run(small);
  const of = (name: string) => outcomes.get(name)!;

  it('has the arrivals and kills of its workload', () => {
    expect(result.meanFlows / 2_000).toBeCloseTo(1, 1);
    expect(result.flows / (2_000 + 300 * 93.75)).toBeCloseTo(1, 1);
    expect(result.kills).toBeGreaterThan(35);
    expect(result.kills).toBeLessThan(65);
  });

  it('breaks about one flow in a hundred where nothing is remembered', () => {
    const share = of('Maglev, stateless').broken / result.flows;
    expect(share).toBeGreaterThan(0.006);
    expect(share).toBeLessThan(0.025);
  });

  it('breaks none where enough is remembered, or the client remembers', () => {
    for (const name of ['Maglev, all tracked', 'IPVS mh', 'MHS', 'JET', 'Cheetah, stateless']) {
      expect(of(name), name).toMatchObject({ broken: 0 });
    }
  });

  it('finds MHS and JET with an entry for a few flows in a hundred, and full tracking with one for each', () => {
    expect(of('MHS').meanLive / 2_000).toBeGreaterThan(0.02);
    expect(of('MHS').meanLive / 2_000).toBeLessThan(0.09);
    expect(of('JET').meanLive / 2_000).toBeGreaterThan(0.07);
    expect(of('JET').meanLive / 2_000).toBeLessThan(0.13);
    expect(of('IPVS mh').meanLive / 2_000).toBeGreaterThan(0.9);
  });

  it('loses about as many flows with their servers, whoever balances', () => {
    for (const outcome of outcomes.values()) {
      expect(outcome.lost / result.flows).toBeGreaterThan(0.003);
      expect(outcome.lost / result.flows).toBeLessThan(0.015);
    }
  });

  it('is a function of the seed', () => {
    const tiny = { ...small, concurrentFlows: 200, durationMs: 30_000 };
    expect(run(tiny).result).toEqual(run(tiny).result);
    expect(run({ ...tiny, seed: 2 }).result).not.toEqual(run(tiny).result);
  });
});

describe('a race in which the balancer fails', () => {
  it('breaks flows of those whose state died with it, and none of those who had none', () => {
    const { outcomes } = run(small, 150_000);
    for (const name of ['Maglev, all tracked', 'IPVS mh', 'MHS']) {
      expect(outcomes.get(name)!.brokenByFailure, name).toBeGreaterThan(10);
    }
    expect(outcomes.get('Cheetah, stateless')!.brokenByFailure).toBe(0);
  });
});

describe('the judge', () => {
  /** Sends every SYN to server 1, and all else to `elsewhere` from some time on. */
  const liar = (elsewhere: number): System => ({
    name: 'liar',
    packet: (_flow, kind, now) => (kind === 0 || now < 5_000 ? 1 : elsewhere),
    serverDown() {},
    serverUp() {},
    reset() {},
    failOver() {},
    state: () => NO_STATE,
  });
  const judge = (system: System, updatesPerMinute = 0) => {
    const workload = createWorkload({ ...small, concurrentFlows: 100, servers: 2, updatesPerMinute });
    const { tables } = rivalsOf(workload, small);
    return race(workload, tables, [system], { durationMs: 20_000 }).outcomes[0]!;
  };

  it('calls a flow broken once when it is sent elsewhere, though its server lives', () => {
    const { broken, lost, refused, flows } = judge(liar(0));
    expect(broken).toBeGreaterThan(50);
    expect(broken).toBeLessThan(flows);
    expect([lost, refused]).toEqual([0, 0]);
    expect(judge(liar(1)).broken).toBe(0);
  });

  it('tells apart what a filter broke that claimed to know the flow', () => {
    const { broken, misled } = judge({ ...liar(0), isMisled: true });
    expect(misled).toBe(broken);
    expect(judge(liar(0)).misled).toBe(0);
  });

  it('calls a flow lost when its server has died, and refused when it began at a dead one', () => {
    const { broken, lost, refused } = judge(liar(1), 30);
    expect(broken).toBe(0);
    expect(lost + refused).toBeGreaterThan(50);
  });
});
