// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { flowHash } from '../../controller/core/flow-hash.ts';
import { Dice, diceOf } from '../kernel/dice.ts';
import { FlowHasher } from './flow-hasher.ts';
import { FlowTable } from './flow-table.ts';
import { downtimeSeconds, flowKilobytes, flowSeconds } from './hadoop.ts';
import { StepCdf } from './step-cdf.ts';
import { TimingWheel } from './timing-wheel.ts';
import { ACK, FIN, SYN } from './traffic.ts';
import { createWorkload, vip, workloadW } from './workload.ts';

const small = { ...workloadW, concurrentFlows: 2_000 };

/** Every packet of the first `seconds`, those of the start apart. */
function packetsOf(options: typeof small, seconds: number) {
  const { traffic } = createWorkload(options);
  const seen: { at: number; flow: number; kind: number; startedAt: number }[] = [];
  let initial = 0;
  while (traffic.fillInitial()) initial += traffic.batch.count;
  let isFull = true;
  while (isFull) {
    isFull = traffic.fill(seconds * 1000);
    const { count, at, flow, kind } = traffic.batch;
    for (let i = 0; i < count; i++) {
      const index = flow[i]!;
      seen.push({ at: at[i]!, flow: index, kind: kind[i]!, startedAt: traffic.flows.startedAt[index]! });
    }
  }
  return { seen, initial, traffic };
}

describe('workload W', () => {
  it('has flows of 21.3 s, so that 100,000 at a time are about 4,690 new ones a second', () => {
    expect(flowSeconds.mean).toBeCloseTo(21.33, 2);
    const { traffic } = createWorkload(workloadW);
    expect(traffic.arrivalRate * 1000).toBeCloseTo(4_687, 0);
  });

  it('draws lengths, sizes and downtimes with the means of their distributions', () => {
    const dice = diceOf(1, 'means');
    for (const cdf of [flowSeconds, flowKilobytes, downtimeSeconds]) {
      const draws = Array.from({ length: 300_000 }, () => cdf.draw(dice));
      const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
      expect(mean / cdf.mean).toBeGreaterThan(0.93);
      expect(mean / cdf.mean).toBeLessThan(1.07);
    }
  });

  it('starts warm: as many flows as later, and as old as flows are when one looks', () => {
    const { traffic, initial } = packetsOf(small, 60);
    expect(initial).toBe(2_000);
    expect(traffic.flows.alive).toBeGreaterThan(1_800);
    expect(traffic.flows.alive).toBeLessThan(2_200);
    const { arrivalRate } = traffic;
    expect((traffic.opened - initial) / (arrivalRate * 60_000)).toBeCloseTo(1, 1);
  });

  it('sends packets in the order of time: SYN, ACK half a millisecond later, pauses of 5 s and more, FIN', () => {
    const { seen } = packetsOf(small, 60);
    expect(seen.every(({ at }, i) => i === 0 || seen[i - 1]!.at <= at)).toBe(true);

    const lives = new Map<string, typeof seen>();
    for (const packet of seen.filter(({ startedAt }) => startedAt > 0)) {
      const life = `${packet.flow} ${packet.startedAt}`;
      lives.set(life, [...(lives.get(life) ?? []), packet]);
    }
    const ended = [...lives.values()].filter((packets) => packets.at(-1)!.kind === FIN);
    expect(ended.length).toBeGreaterThan(4_000);
    for (const packets of ended) {
      expect(packets.map(({ kind }) => kind)).toEqual([
        SYN,
        ACK,
        ...packets.slice(2, -1).map(() => ACK),
        FIN,
      ]);
      const handshakeMs = packets[1]!.at - packets[0]!.at;
      expect(handshakeMs).toBeGreaterThan(0);
      expect(handshakeMs).toBeLessThan(0.501);
      const pauses = packets.slice(2, -1).map(({ at }, i) => at - packets[i + 1]!.at);
      for (const pauseMs of pauses) expect(pauseMs).toBeGreaterThan(4_999.999);
    }
  });

  it('is a function of the seed', () => {
    const first = packetsOf(small, 5).seen;
    expect(packetsOf(small, 5).seen).toEqual(first);
    expect(packetsOf({ ...small, seed: 2 }, 5).seen).not.toEqual(first);
  });

  it('kills servers at random, and the same server returns after its downtime', () => {
    const { servers } = createWorkload({ ...workloadW, updatesPerMinute: 10 });
    const wentAt = new Map<number, number>();
    const aways: number[] = [];
    let kills = 0;
    while (servers.nextAt < 3_600_000) {
      const change = servers.change()!;
      if (change.isUp) {
        aways.push((change.at - wentAt.get(change.server)!) / 1000);
        wentAt.delete(change.server);
      } else {
        kills++;
        expect(wentAt.has(change.server)).toBe(false);
        wentAt.set(change.server, change.at);
      }
      expect(servers.upCount).toBe(468 - wentAt.size);
    }
    expect(kills).toBeGreaterThan(520);
    expect(kills).toBeLessThan(680);
    expect(Math.min(...aways)).toBeGreaterThan(59.9);
  });
});

describe('a step distribution', () => {
  it('draws a value in proportion to itself when it is biased', () => {
    const cdf = new StepCdf([
      [0.5, 1],
      [1, 3],
    ]);
    const dice = new Dice(1);
    const count = (draw: () => number) => Array.from({ length: 10_000 }, draw).filter((v) => v === 3).length;
    expect(count(() => cdf.draw(dice)) / 10_000).toBeCloseTo(0.5, 1);
    expect(count(() => cdf.drawBiased(dice)) / 10_000).toBeCloseTo(0.75, 1);
  });
});

describe('a flow table', () => {
  it("hashes flows as the controller's flowHash does", () => {
    const hasher = new FlowHasher(vip);
    const dice = new Dice(1);
    for (let i = 0; i < 1_000; i++) {
      const sourceAddress = dice.integer(0, 0xffffffff);
      const sourcePort = dice.integer(0, 0xffff);
      const { address: targetAddress, protocol, port: targetPort } = vip;
      const { crc32, crc16 } = flowHash(
        { sourceAddress, targetAddress, protocol, sourcePort, targetPort },
        0xffff,
      );
      hasher.hash(sourceAddress, sourcePort);
      expect([hasher.crc32, hasher.crc16]).toEqual([crc32, crc16]);
    }
  });

  it('gives an index away again only when it was told that nobody asks for it', () => {
    const flows = new FlowTable(2, vip, 65_536);
    const dice = new Dice(1);
    const flow = flows.open(dice, 0);
    flows.open(dice, 0);
    flows.close(flow);
    expect(() => flows.open(dice, 0)).toThrow(RangeError);
    flows.recycle();
    expect(flows.open(dice, 0)).toBe(flow);
  });
});

describe('a timing wheel', () => {
  it('gives flows back in the order of time, whatever is planned meanwhile', () => {
    const wheel = new TimingWheel(1_000);
    const dice = new Dice(1);
    for (let flow = 0; flow < 1_000; flow++) wheel.plan(flow, dice.between(0, 50));
    let last = 0;
    let again = 0;
    for (let flow = wheel.take(1e6); flow >= 0; flow = wheel.take(1e6)) {
      expect(wheel.dueAt(flow)).toBeGreaterThanOrEqual(last);
      last = wheel.dueAt(flow);
      if (again++ < 5_000) wheel.plan(flow, last + dice.between(0, 700));
    }
    expect(again).toBe(6_000);
  });

  it('keeps what is not due before the end', () => {
    const wheel = new TimingWheel(2);
    wheel.plan(0, 10.25);
    wheel.plan(1, 10.75);
    expect([wheel.take(10.5), wheel.take(10.5), wheel.take(11)]).toEqual([0, -1, 1]);
    expect(() => wheel.plan(0, 2 ** 21)).toThrow(RangeError);
  });
});
