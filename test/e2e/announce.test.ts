// SPDX-License-Identifier: Apache-2.0
/**
 * A router learns a vip by BGP, loses it with the pool's last backend, removed by hand or found dead, or when the balancer
 * drains, and learns it again.
 * Both speakers are real, and so are the router's daemon and its kernel's routes; the switch is in memory. Times are printed
 * and not judged.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAnnouncer } from '../../controller/adapters/announce/open-announcer.ts';
import { systemClock } from '../../controller/adapters/clock/system-clock.ts';
import { toAnnounce } from '../../controller/config/announce.ts';
import type { ProbeOutcome } from '../../controller/core/health.ts';
import { type RunningController, startController } from '../../controller/main.ts';
import type { Prober } from '../../controller/ports/prober.ts';
import { MemorySwitch } from '../../controller/testing/memory-switch.ts';
import { until } from '../../demo/programs.ts';
import { whyNoLab } from '../../lab/capability.ts';
import { openSpeakers, type SpeakerKind, type SpeakerPair, speakerSide, whyNoSpeaker } from './speakers.ts';

const vip = '10.0.1.100';
const prefix = `${vip}/32`;
const vip6 = 0xfd0000000001000000000000_00000100n;
const prefix6 = 'fd00:0:1::100/128';
/** A router may prefer the link-local address that comes with the other. */
const nextHops6 = new RegExp(`via (${speakerSide.ipv6}|fe80:\\S+) dev eth0`);
const patienceMs = 90_000;
const testTimeoutMs = 240_000;

const pairs: [speaker: SpeakerKind, router: SpeakerKind][] = [
  ['bird', 'frr'],
  ['frr', 'bird'],
];

describe.each(pairs)('a balancer that speaks by %s to a router with %s', (speaker, router) => {
  const reason = whyNoLab() ?? whyNoSpeaker(speaker) ?? whyNoSpeaker(router);
  const title = (words: string) => (reason === undefined ? words : `${words} (skipped: ${reason})`);
  let directory: string;
  let pair: SpeakerPair;
  let controller: RunningController;
  /** By every probe: the backend is an address at which nobody is. */
  let found: ProbeOutcome = { kind: 'passed', latencyMs: 1 };
  const prober: Prober = {
    probe(_probe, answer) {
      const answering = setImmediate(() => answer(found));
      return () => clearImmediate(answering);
    },
    close: async () => {},
  };

  beforeAll(async () => {
    if (reason !== undefined) return;
    directory = mkdtempSync(join(tmpdir(), 'evenkeel-bgp-'));
    chmodSync(directory, 0o755);
    pair = await openSpeakers(speaker, router, directory);
    await configure({});
    controller = await startController({
      configPath: join(directory, 'evenkeel.yaml'),
      listen: { host: '127.0.0.1', port: 0 },
      switchPort: new MemorySwitch(),
      engine: { tcpSettleMs: 0 },
      prober,
    });
  }, testTimeoutMs);

  afterAll(async () => {
    await controller?.close();
    pair?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  async function configure({
    state = 'active',
    drain = false,
  }: {
    state?: string;
    drain?: boolean;
  }): Promise<void> {
    const announce = JSON.stringify({ ...pair.announce, drain });
    writeFileSync(
      join(directory, 'evenkeel.yaml'),
      `announce: ${announce}
network: { interfaces: [{ port: 1, address: 10.0.1.1/24 }] }
vips:
  - { name: web, address: ${vip}, port: 80, slots: 256, health: { check: tcp, interval: 200ms, floor: 0% }, backends: [{ name: a, address: 10.0.1.11, port: 80, state: ${state} }] }
`,
    );
    await controller?.reload();
  }

  async function timed(
    what: string,
    isLearned: boolean,
    act: () => Promise<void>,
    target = prefix,
  ): Promise<void> {
    const begin = performance.now();
    await act();
    const words = `${target} is ${isLearned ? 'learned' : 'lost'}`;
    try {
      await until(words, patienceMs, async () => ((await pair.route(target)) !== undefined) === isLearned);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${pair.lines()}`);
    }
    console.log(
      `${speaker} to ${router}: ${what}: ${words} after ${Math.round(performance.now() - begin)} ms`,
    );
  }

  const step = (words: string, run: () => Promise<void>) =>
    test.skipIf(reason !== undefined)(title(words), run, testTimeoutMs);

  step('the router learns the vip, with the balancer as next hop', async () => {
    await timed('the controller starts', true, async () => {});
    expect(await pair.route(prefix)).toContain(`via ${speakerSide.address}`);
    await until('the status tells', patienceMs, () => controller.status().announcer?.announced !== undefined);
    expect(controller.status().announcer).toMatchObject({ announced: [prefix], problem: undefined });
  });

  step('it loses the vip with the last backend, and learns it again with the next', async () => {
    await timed('the last backend is down', false, () => configure({ state: 'down' }));
    await timed('the backend is back', true, () => configure({}));
  });

  step('it loses the vip when its checks find the last backend dead, and learns it again', async () => {
    await timed('nobody listens', false, async () => {
      found = { kind: 'failed', reason: 'refused', detail: 'connection refused' };
    });
    expect(controller.status().health?.[0]?.backends[0]).toMatchObject({ verdict: 'dead' });
    await timed('somebody listens again', true, async () => {
      found = { kind: 'passed', latencyMs: 1 };
    });
  });

  step('it loses the vip when the balancer drains', async () => {
    await timed('the balancer drains', false, () => configure({ drain: true }));
    await timed('the balancer drains no more', true, () => configure({}));
  });

  step('a speaker that is killed and starts anew says it again', async () => {
    await timed('the speaker is killed', false, () => pair.killSpeaker());
    await timed('the speaker starts anew', true, () => pair.startSpeaker());
  });

  step('the vip outlives the controller', async () => {
    await controller.close();
    expect(await pair.route(prefix)).toContain(`via ${speakerSide.address}`);
  });

  step('IPv6 vips are learned and lost alike', async () => {
    const shape = { ...pair.announce, drain: false } as Parameters<typeof toAnnounce>[0];
    const announcer = openAnnouncer(toAnnounce(shape)!.speaker, { clock: systemClock, log: () => {} });
    try {
      await timed('an IPv6 vip', true, async () => announcer.announce([vip6]), prefix6);
      expect(await pair.route(prefix6)).toMatch(nextHops6);
      expect(await pair.route(prefix)).toBeUndefined();
      await timed('no vip', false, async () => announcer.announce([]), prefix6);
    } finally {
      await announcer.close();
    }
  });
});
