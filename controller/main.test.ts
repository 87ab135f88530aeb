// SPDX-License-Identifier: Apache-2.0
/** The controller as a whole, with a file of its own and a switch in memory. */

import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { evenkeel } from '../cli/testing/screen.ts';
import { driftReportSchema } from './adapters/http/drift-schema.ts';
import {
  eventSchema,
  explanationSchema,
  readinessSchema,
  sampleSchema,
  slotMapSchema,
  statusSchema,
} from './adapters/http/schemas.ts';
import { whySchema } from './adapters/http/why-operation.ts';
import { controllerDefaults, timerDefaults } from './config/config.ts';
import { parseConfig } from './config/parse.ts';
import { parseDuration } from './config/scalar.ts';
import type { Address } from './core/desired.ts';
import type { ProbeOutcome } from './core/health.ts';
import { engineDefaults } from './core/options.ts';
import { PLAIN_VIP } from './core/row.ts';
import { BadConfigError, type ControllerOptions, type RunningController, startController } from './main.ts';
import type { Probe, Prober } from './ports/prober.ts';
import { until } from './testing/in-test.ts';
import { MemorySwitch } from './testing/memory-switch.ts';

const text = `# kept
network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web # the shop
    address: 10.0.1.100
    port: 80
    slots: 256
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080 } # newer
`;

const ipv6Text = `network:
  interfaces:
    - { port: 1, ipv6_address: 2001:db8:1::1/64 }
    - { port: 2, ipv6_address: 2001:db8:2::1/64 }
vips:
  - name: files
    address: 2001:db8:1::100
    port: 443
    slots: 256
    health: { check: tcp, interval: 100ms, fall: 2, floor: 0% }
    load: { source: switch }
    backends:
      - { name: a, address: 2001:db8:2::11, port: 8080 }
      - { name: b, address: 2001:db8:2::12, port: 443 }
`;

let path: string;

beforeEach(async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-main-'));
  path = join(folder, 'evenkeel.yaml');
  await writeFile(path, text);
  // The first to be asked for comes last: controllers are closed by then, and write no more.
  context.onTestFinished(() => rm(folder, { recursive: true }));
});

async function start(
  options: Partial<ControllerOptions> = {},
): Promise<{ controller: RunningController; target: MemorySwitch }> {
  const target = new MemorySwitch();
  const controller = await startController({
    configPath: path,
    listen: { host: '127.0.0.1', port: 0 },
    switchPort: target,
    engine: { tcpSettleMs: 0 },
    ...options,
  });
  onTestFinished(() => controller.close());
  return { controller, target };
}

/** Says of everybody what it is told to say. */
class ToldProber implements Prober {
  outcome: ProbeOutcome = { kind: 'passed', latencyMs: 1 };
  readonly asked = new Set<string>();

  probe({ target: { address, port } }: Probe, answer: (outcome: ProbeOutcome) => void): () => void {
    this.asked.add(`${address} ${port}`);
    const answering = setImmediate(() => answer(this.outcome));
    return () => clearImmediate(answering);
  }

  async close(): Promise<void> {}
}

/** What the controller says by its API is what is described: what a schema does not know is not in what it makes of it. */
async function expectAsDescribed({ adminUrl }: RunningController, pool: string, flow: string): Promise<void> {
  for (const [path, schema] of [
    ['/api/v1/status', statusSchema],
    [`/api/v1/pools/${pool}/slots`, slotMapSchema],
    ['/api/v1/events', eventSchema.array().min(1)],
    ['/api/v1/history', sampleSchema.array().min(1)],
    [`/api/v1/explain?${flow}`, explanationSchema],
    [`/api/v1/why?vip=${pool}&backend=a`, whySchema],
    ['/api/v1/drift', driftReportSchema.array().min(1)],
    ['/readyz', readinessSchema],
  ] as const) {
    const response = await fetch(new URL(path, adminUrl));
    expect(response.status).toBe(200);
    const json = await response.json();
    expect(schema.parse(json)).toEqual(json);
  }
}

/** And what was written for it is on the switch. */
const isServing = (controller: RunningController) => () => {
  const { pools, change, writes } = controller.status().engine;
  return pools[0]?.phase === 'serving' && change.phase === 'idle' && writes.unsettledRows === 0;
};

const backends = (controller: RunningController) =>
  controller
    .status()
    .engine.pools[0]!.backends.map(({ name, state, weight }) => `${name} ${state} ${weight}`);

describe('a controller', () => {
  it('makes the switch hold what the file says', async () => {
    const { controller, target } = await start();
    await until(isServing(controller));
    expect(target.rows('vip')).toEqual([
      {
        table: 'vip',
        address: 0x0a00_0164,
        protocol: 6,
        port: 80,
        pool: 1,
        slotMask: 255,
        ...PLAIN_VIP,
        whenDead: 'reset',
      },
    ]);
    expect(target.rows('slot')).toHaveLength(256);
    expect(target.rows('backend').map(({ address }) => address)).toEqual([0x0a00_020b, 0x0a00_020c]);
    expect(backends(controller)).toEqual(['a active 1', 'b active 1']);
    const { pool, stable, outcomes } = controller.explain({
      sourceAddress: 9,
      sourcePort: 9,
      vipAddress: 0x0a00_0164,
      vipPort: 80,
      protocol: 'tcp',
    });
    expect({ pool, stable, outcomes: outcomes.length }).toEqual({ pool: 'web', stable: true, outcomes: 1 });
    expect(['a', 'b']).toContain(outcomes[0]!.backend);
  });

  it('asks for its servers by ARP', async () => {
    const { target } = await start();
    await until(() => target.solicitations.length >= 2);
    expect(target.solicitations.map(({ port, address }) => [port, address])).toEqual([
      [2, 0x0a00_020b],
      [2, 0x0a00_020c],
    ]);
  });

  it('changes the file and the switch by command, and nothing else in them', async () => {
    const { controller, target } = await start();
    await until(isServing(controller));
    const before = target.updates.length;
    const result = await controller.edit({
      kind: 'add',
      vip: 'web',
      backend: 'c',
      address: '10.0.2.13',
      port: 8080,
    });
    expect(result).toMatchObject({ isChanged: true });
    expect(await readFile(path, 'utf8')).toBe(`${text}      - { name: c, address: 10.0.2.13, port: 8080 }\n`);
    await until(() => controller.status().engine.commits.length > 0);
    const touched = target.updates.slice(before).filter(({ row }) => row.table === 'slot');
    expect(touched.length).toBeGreaterThan(0);
    expect(touched.length).toBeLessThan(256);
    expect(backends(controller)).toEqual(['a active 1', 'b active 1', 'c active 1']);
  });

  it('follows the file', async () => {
    const { controller } = await start();
    await until(isServing(controller));
    await writeFile(path, text.replace('port: 8080 } # newer', 'port: 8080, weight: 3 }'));
    await until(() => backends(controller)[1] === 'b active 3');
    // As editors do it.
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    await until(() => backends(controller)[1] === 'b active 1');
  });

  it('keeps what was wanted when the file is bad, says why, and recovers', async () => {
    const { controller } = await start();
    await until(isServing(controller));
    await writeFile(path, text.replace('slots: 256', 'slot: 256'));
    await until(() => controller.status().config.problems.length > 0);
    expect(controller.status().config.problems).toMatchObject([{ line: 10, column: 5, right: "'slots'" }]);
    expect(backends(controller)).toEqual(['a active 1', 'b active 1']);
    expect(controller.events(0).at(-1)).toMatchObject({
      level: 'error',
      message: expect.stringContaining(':10:5: error'),
    });
    const refused = await controller.edit({ kind: 'remove', vip: 'web', backend: 'a' });
    expect(refused).toMatchObject({ failure: { code: 'invalid' } });
    await writeFile(path, text);
    await until(() => controller.status().config.problems.length === 0);
  });

  it('writes nothing for a file that says the same in other words', async () => {
    const { controller, target } = await start();
    await until(isServing(controller));
    await until(() => controller.status().engine.writes.unsettledRows === 0);
    const before = target.updates.length;
    await writeFile(path, `${text}# a comment\n`);
    expect(await controller.reload()).toMatchObject({ isChanged: true });
    await until(() => controller.status().queue.waiting === 0);
    expect(target.updates.length).toBe(before);
  });

  it('says which settings need a restart', async () => {
    const { controller } = await start();
    await writeFile(path, `switch: { device_id: 7 }\n${text}`);
    expect(await controller.reload()).toMatchObject({ needsRestart: ['switch.device_id'] });
    expect(controller.status().config.needsRestart).toEqual(['switch.device_id']);
  });

  it('makes changes that come at once one after the other', async () => {
    const { controller } = await start();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        controller.edit({
          kind: 'add',
          vip: 'web',
          backend: `c${i}`,
          address: `10.0.2.${100 + i}`,
          port: 80,
        }),
      ),
    );
    expect(results.every((result) => 'isChanged' in result && result.isChanged)).toBe(true);
    const parsed = parseConfig(await readFile(path, 'utf8'));
    expect('config' in parsed && parsed.config.desired.pools[0]!.backends).toHaveLength(22);
  });

  it('does not start with a bad file, or without one', async () => {
    await writeFile(path, 'vips: 7');
    await expect(start()).rejects.toBeInstanceOf(BadConfigError);
    await rm(path);
    await expect(start()).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('gives a switch that has lost everything the table it had, after a restart too', async () => {
    const owners = (target: MemorySwitch): Address[] => {
      const addresses = new Map(target.rows('backend').map((row) => [row.backend, row.address]));
      return target
        .rows('slot')
        .toSorted((a, b) => a.slot - b.slot)
        .map((row) => addresses.get(row.backend)!);
    };
    const first = await start();
    await until(isServing(first.controller));
    const before = owners(first.target);
    // It owns nothing yet when it is forgotten: what new flows get is in a column, and the book knows.
    await first.controller.edit({ kind: 'add', vip: 'web', backend: 'c', address: '10.0.2.13', port: 8080 });
    await until(() => first.controller.status().engine.commits.length > 0);
    await first.controller.close();

    const second = await start();
    await until(isServing(second.controller));
    const after = owners(second.target);
    expect(after.filter((owner) => owner === 0x0a00_020d).length).toBe(85);
    expect(after.every((owner, slot) => owner === 0x0a00_020d || owner === before[slot])).toBe(true);
    expect(second.controller.status().engine.commits).toEqual([]);
    await second.controller.close();

    // Without the journal it is another table.
    await rm(`${path}.book`);
    const third = await start();
    await until(isServing(third.controller));
    expect(owners(third.target)).not.toEqual(after);
  });

  it('says of itself what its API describes, and no more', async () => {
    const { controller } = await start();
    await until(isServing(controller));
    await controller.edit({ kind: 'add', vip: 'web', backend: 'c', address: '10.0.2.13', port: 8080 });
    await until(() => controller.status().engine.commits.length > 0);
    await expectAsDescribed(controller, 'web', 'source=10.0.1.7:40000&target=10.0.1.100:80');
    const scraped = await (await fetch(new URL('/metrics', controller.adminUrl))).text();
    expect(scraped).toContain('evenkeel_commits_total 1\n');
    expect(controller.events(0).map(({ topic, message }) => `${topic}: ${message}`)).toEqual(
      expect.arrayContaining(['pool: pool serves', 'commit: committed', 'config: add, by command']),
    );
  });

  it('checks, steers and tells of IPv6 alike, and says when all are dead', async () => {
    const prober = new ToldProber();
    await writeFile(path, ipv6Text);
    const { controller } = await start({ prober });
    const poolOf = () => controller.status().engine.pools[0]!;
    await until(isServing(controller));
    expect([...prober.asked]).toEqual(['2001:db8:2::11 8080', '2001:db8:2::12 443']);
    expect(poolOf()).toMatchObject({ address: '2001:db8:1::100', isDead: false, forwarding: 'nat' });
    await expectAsDescribed(controller, 'files', 'source=[2001:db8:1::7]:40000&target=[2001:db8:1::100]:443');
    expect(controller.status().load).toMatchObject([{ pool: 'files', backends: [{ weight: 256 }, {}] }]);

    prober.outcome = { kind: 'failed', reason: 'refused', detail: 'connection refused' };
    await until(() => poolOf().isDead);
    expect(poolOf().backends.map(({ state }) => state)).toEqual(['down', 'down']);
    const scraped = await (await fetch(new URL('/metrics', controller.adminUrl))).text();
    expect(scraped).toContain('evenkeel_pool_dead{pool="files"} 1\n');
    const env = { EVENKEEL_CONTROLLER: controller.adminUrl };
    const { stdout } = await evenkeel('status', env);
    expect(stdout).toContain('! vip files is dead: no backend that lives has a slot\n');
    expect(stdout).toMatch(/^files {2}a +\[2001:db8:2::11\]:8080 +down +dead for /m);
  });

  it('withdraws a vip of which all fail, where there is another site, though it serves on by the floor', async () => {
    const prober = new ToldProber();
    const bird = join(dirname(path), 'vips.conf');
    const speaker = `{ speaker: bird, file: ${bird}, control: ${dirname(path)}/none.ctl, withdraw_below: 1% }`;
    const checked = text.replace('slots: 256', 'health: { check: tcp, interval: 100ms, fall: 2, rise: 1 }');
    await writeFile(path, `${checked}announce: ${speaker}\n`);
    const { controller } = await start({ prober });
    const announces = async (): Promise<boolean> =>
      (await readFile(bird, 'utf8').catch(() => '')).includes('10.0.1.100/32');
    while (!(await announces()));
    prober.outcome = { kind: 'failed', reason: 'wrong', detail: 'status 503' };
    while (await announces());
    expect(controller.status().announcer?.refused).toEqual(['web']);
    expect(controller.status().health?.[0]?.isPanicking).toBe(true);
    expect(controller.status().engine.pools[0]).toMatchObject({ phase: 'serving', isDead: false });
    prober.outcome = { kind: 'passed', latencyMs: 1 };
    while (!(await announces()));
  });

  it('can be changed by who knows its token alone', async () => {
    const { controller } = await start();
    const reload = (headers: Record<string, string>) =>
      fetch(new URL('/api/v1/reload', controller.adminUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{}',
      });
    expect((await reload({})).status).toBe(401);
    expect((await reload({ authorization: `Bearer ${controller.adminToken}` })).status).toBe(200);
  });

  it('does not listen where strangers are unless somebody there is known', async () => {
    const listen = { host: '0.0.0.0', port: 0 };
    const options = { configPath: path, listen, switchPort: new MemorySwitch() };
    await expect(startController(options)).rejects.toThrow(/can be reached from elsewhere, and knows nobody/);
    await writeFile(join(path, '../admin.token'), 'a-token-of-the-operator\n', { mode: 0o600 });
    await writeFile(path, `controller: { token_file: admin.token }\n${text}`);
    const controller = await startController(options);
    onTestFinished(() => controller.close());
    expect(controller.adminToken).toBe('a-token-of-the-operator');
  });

  it('is asked and told by the commands', async () => {
    const { controller, target } = await start();
    await until(isServing(controller));
    const env = { EVENKEEL_CONTROLLER: controller.adminUrl, EVENKEEL_TOKEN: controller.adminToken };
    expect(await evenkeel('drain web a', env)).toEqual({ exitCode: 0, stdout: 'done\n', stderr: '' });
    expect(await readFile(path, 'utf8')).toContain(
      '{ name: a, address: 10.0.2.11, port: 8080, state: draining }',
    );
    await until(() => controller.status().engine.pools[0]!.backends[0]!.slots === 0);

    const { stdout } = await evenkeel('status', env);
    expect(stdout).toMatch(/^switch {6}ready, memory$/m);
    expect(stdout).toMatch(/^web {2}10\.0\.1\.100:80\/tcp +serving +256 /m);
    expect(stdout).toMatch(/^web {2}a +10\.0\.2\.11:8080 +draining +1 +0 +0\.0 %/m);
    expect((await evenkeel('explain 10.0.1.7:40000 10.0.1.100:80', env)).stdout).toMatch(
      /^tcp 10\.0\.1\.7:40000 -> /,
    );
    expect((await evenkeel('events', env)).stdout).toContain('drain, by command  vip=web  backend=a');
    expect(await evenkeel('drain web z', env)).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: "evenkeel: there is no backend of vip 'web' named 'z'; expected 'a'\n",
    });
    expect(target.isClosed).toBe(false);
  });
});

it('has the defaults of the engine', () => {
  const ms = (duration: string) => {
    const parsed = parseDuration(duration);
    return 'value' in parsed ? parsed.value : undefined;
  };
  expect(controllerDefaults.max_pins).toBe(engineDefaults.maxPins);
  expect(ms(timerDefaults.rotation)).toBe(engineDefaults.rotationMs);
  expect(ms(timerDefaults.quarantine)).toBe(engineDefaults.quarantineMs);
  expect(ms(timerDefaults.merge_margin)).toBe(engineDefaults.mergeMarginMs);
  expect(ms(timerDefaults.stale_digest)).toBe(engineDefaults.staleDigestMs);
  expect(ms(timerDefaults.closing_timeout)).toBe(engineDefaults.closingTimeoutMs);
});
