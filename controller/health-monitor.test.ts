// SPDX-License-Identifier: Apache-2.0
/** Who is asked when, and what follows, with a clock and answers of the test's own. */
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from './adapters/clock/system-clock.ts';
import { Probes } from './adapters/probe/probes.ts';
import type { Config } from './config/config.ts';
import { parseConfig } from './config/parse.ts';
import type { FailureReason, ProbeOutcome } from './core/health.ts';
import { ManualClock } from './group/testing/manual-clock.ts';
import { HealthMonitor } from './health-monitor.ts';
import type { Probe, Prober } from './ports/prober.ts';

/** Answers after a millisecond, or as it is told, what it was told about the backend. */
class ToldProber implements Prober {
  readonly clock = new ManualClock();
  readonly asked: string[] = [];
  readonly answers = new Map<string, ProbeOutcome>();
  answersAfterMs = 1;
  isClosed = false;

  probe({ target }: Probe, answer: (outcome: ProbeOutcome) => void): () => void {
    this.asked.push(`${target.backend} ${target.address}:${target.port}`);
    const told = this.answers.get(target.backend) ?? { kind: 'passed', latencyMs: 1 };
    return this.clock.after(this.answersAfterMs, () => answer(told));
  }

  fail(backend: string, reason: FailureReason): void {
    this.answers.set(backend, { kind: 'failed', reason, detail: 'told so' });
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function configOf(backends: readonly string[], health = '{ check: tcp, jitter: 0% }'): Config {
  const parsed = parseConfig(`network:
  interfaces:
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    health: ${health}
    backends:
${backends.map((backend) => `      - { name: ${backend} }`).join('\n')}
`);
  if ('problems' in parsed) throw new Error(parsed.problems.map(({ wrong }) => wrong).join());
  return parsed.config;
}

const [a, b, c] = ['a', 'b', 'c'].map((name, i) => `${name}, address: 10.0.2.1${i}, port: 8080`) as [
  string,
  string,
  string,
];

function monitored(config: Config) {
  const prober = new ToldProber();
  const lines: string[] = [];
  let changes = 0;
  const shares: (number | undefined)[] = [];
  const monitor = new HealthMonitor({
    clock: prober.clock,
    prober,
    log: (level, message, fields = {}) => lines.push([level, message, ...Object.values(fields)].join(' | ')),
    dice: () => 0.5,
    onChange: () => changes++,
    onShareChange: () => shares.push(monitor.passingShare('web')),
  });
  monitor.check(config);
  return { monitor, prober, clock: prober.clock, lines, shares, changes: () => changes };
}

/** Accept connections, as kernels do for whoever has the port. */
async function listeningPort(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

it('a controller that is hardly ever given the processor takes none of those who are well for silent', async () => {
  const ports = await Promise.all([listeningPort(), listeningPort()]);
  const backends = ports.map((port, i) => `b${i}, address: 10.0.2.1${i}, port: ${port}`);
  // One failure would do, and no floor would hide it.
  const health = '{ check: tcp, interval: 100ms, timeout: 40ms, fall: 1, floor: 0%, dead_after: 0s }';
  const lines: string[] = [];
  let answers = 0;
  const probes = new Probes();
  const monitor = new HealthMonitor({
    clock: systemClock,
    prober: {
      probe: (probe, answer) =>
        probes.probe({ ...probe, target: { ...probe.target, address: '127.0.0.1' } }, (outcome) => {
          answers++;
          answer(outcome);
        }),
      close: () => probes.close(),
    },
    log: (level, message, fields = {}) => lines.push([level, message, ...Object.values(fields)].join(' | ')),
    dice: () => 0.5,
    onChange: () => {},
  });
  onTestFinished(() => monitor.close());
  monitor.check(configOf(backends, health));
  while (answers < 20) {
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
  }
  expect(lines).toEqual([]);
  expect(monitor.status()[0]!.backends.map(({ state }) => state)).toEqual(['up', 'up']);
});

describe('a health monitor', () => {
  it('asks everybody at once, and then in their own time', () => {
    const { prober, clock } = monitored(configOf([a, b]));
    expect(prober.asked).toEqual(['a 10.0.2.10:8080', 'b 10.0.2.11:8080']);
    clock.pass(490);
    expect(prober.asked).toHaveLength(2);
    clock.pass(20);
    expect(prober.asked).toHaveLength(4);
    clock.pass(1_000);
    expect(prober.asked).toHaveLength(6);
  });

  it('finds out who is silent as soon as who refuses: an interval runs from one question to the next', () => {
    const { monitor, prober, clock } = monitored(configOf([a, b, c]));
    clock.pass(3_000);
    prober.fail('b', 'silent');
    prober.answersAfterMs = 1_000;
    const { length } = prober.asked;
    // Up to an interval until it is asked, two more until it is asked for the third time, and the last answer.
    clock.pass(4_000);
    expect(prober.asked.slice(length).filter((name) => name.startsWith('b '))).toHaveLength(4);
    expect(monitor.verdictOf('web', 'b')).toBe('avoided');
  });

  it('says what share of a pool passes its checks, also while none of them is trusted', () => {
    const { monitor, prober, clock, shares } = monitored(configOf([a, b, c]));
    clock.pass(3_000);
    for (const name of ['a', 'b', 'c']) prober.fail(name, 'wrong');
    clock.pass(5_000);
    expect(monitor.status()[0]!.isPanicking).toBe(true);
    expect(monitor.verdictOf('web', 'a')).toBe('trusted');
    prober.answers.clear();
    clock.pass(5_000);
    expect(shares).toEqual([1, 2 / 3, 1 / 3, 0, 1 / 3, 2 / 3, 1]);
    expect(monitor.passingShare('dns')).toBeUndefined();
  });

  it('says when a backend dies and when it is back, and why', () => {
    const { monitor, prober, clock, lines, changes } = monitored(configOf([a, b, c]));
    clock.pass(3_000);
    prober.fail('b', 'refused');
    clock.pass(3_000);
    expect(['a', 'b', 'c'].map((name) => monitor.verdictOf('web', name))).toEqual([
      'trusted',
      'dead',
      'trusted',
    ]);
    expect(monitor.status()).toMatchObject([
      {
        pool: 'web',
        check: 'tcp',
        isPanicking: false,
        backends: [
          { backend: 'a', state: 'up', verdict: 'trusted', failure: undefined },
          {
            backend: 'b',
            state: 'down',
            verdict: 'dead',
            failure: 'refused: told so',
            penalty: expect.any(Number),
          },
          { backend: 'c', state: 'up' },
        ],
      },
    ]);
    prober.answers.clear();
    clock.pass(2_000);
    expect(lines).toEqual([
      'warn | a backend is dead: its connections are given up | web | b | trusted | refused: told so',
      'info | a backend is trusted again | web | b | dead',
    ]);
    expect(changes()).toBe(2);
  });

  it('waits for the first answer of everybody, and no longer', async () => {
    const { monitor, prober, clock } = monitored(configOf([a, b]));
    let isAnswered = false;
    const answered = monitor.answeredOnce().then(() => {
      isAnswered = true;
    });
    await Promise.resolve();
    expect(isAnswered).toBe(false);
    prober.answers.set('a', { kind: 'void', detail: 'no socket' });
    clock.pass(1);
    await answered;
  });

  it('has nothing to wait for where nothing is checked', async () => {
    await monitored({ ...configOf([a]), health: [] }).monitor.answeredOnce();
  });

  it('keeps what it knows of backends that stay, and begins anew with those that are elsewhere', () => {
    const { monitor, prober, clock } = monitored(configOf([a, b, c]));
    prober.fail('a', 'wrong');
    prober.fail('b', 'wrong');
    clock.pass(3_000);
    expect(monitor.status()[0]!.isPanicking).toBe(true);
    const elsewhere = b.replace('8080', '8081');
    monitor.check(configOf([a, elsewhere, c]));
    expect(monitor.verdictOf('web', 'a')).toBe('avoided');
    expect(monitor.verdictOf('web', 'b')).toBe('trusted');
    expect(prober.asked.at(-1)).toEqual('b 10.0.2.11:8081');
    clock.pass(1);
    expect(monitor.status()[0]!.isPanicking).toBe(true);
    monitor.check(configOf([c]));
    const { length } = prober.asked;
    clock.pass(10_000);
    expect(new Set(prober.asked.slice(length))).toEqual(new Set(['c 10.0.2.12:8080']));
  });

  it('asks everybody anew when the question is another', () => {
    const { prober, clock, monitor } = monitored(configOf([a, b]));
    clock.pass(1);
    monitor.check(configOf([a, b], '{ check: http }'));
    expect(prober.asked).toHaveLength(4);
  });

  it('does not ask about whom the operator gave up, and asks elsewhere if it shall', () => {
    const { prober } = monitored(configOf([a, `${b}, state: down`], '{ check: tcp, port: 9000 }'));
    expect(prober.asked).toEqual(['a 10.0.2.10:9000']);
  });

  it('says once that it cannot ask', () => {
    const { monitor, prober, clock, lines } = monitored(configOf([a]));
    prober.answers.set('a', { kind: 'void', detail: 'no socket' });
    clock.pass(10_000);
    expect(lines).toEqual(['warn | a backend could not be checked | web | a | no socket']);
    expect(monitor.status()[0]!.backends[0]).toMatchObject({ verdict: 'trusted', problem: 'no socket' });
  });

  it('asks nobody any more once it is closed', async () => {
    const { monitor, prober, clock } = monitored(configOf([a, b]));
    clock.pass(1);
    await monitor.close();
    clock.pass(10_000);
    expect(prober.asked).toHaveLength(2);
    expect(prober.isClosed).toBe(true);
  });
});
