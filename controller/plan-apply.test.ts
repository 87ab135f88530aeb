// SPDX-License-Identifier: Apache-2.0
/** Plans, and what comes of them: by the command line, on a running controller and the embedded switch. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { run } from '../cli/commands.ts';
import { evenkeel, Screen } from '../cli/testing/screen.ts';
import { type RunningSwitch, startSwitch } from '../switch/server/switch.ts';
import type { PlanResult } from './adapters/http/admin.ts';
import { planResultSchema } from './adapters/http/plan-schemas.ts';
import { type RunningController, startController } from './main.ts';
import type { Clock } from './ports/clock.ts';
import { until } from './testing/in-test.ts';

const slots = 4_096;
const tcpSettleMs = 1_200;

interface Wish {
  number: number;
  weight?: number;
  state?: string;
}

/** Neighbours are told, so that nobody need answer for a hundred servers. */
function config(wishes: readonly Wish[], settings = ''): string {
  const address = (number: number): string => `10.0.2.${number}`;
  const numbers = Array.from({ length: 110 }, (_, i) => i + 10);
  return `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
  neighbours:
${numbers.map((number) => `    - { address: ${address(number)}, mac: '02:00:00:00:02:${number.toString(16).padStart(2, '0')}', port: 2 }`).join('\n')}
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: ${slots}
    session_timeout: 1s
${settings}    backends:
${wishes.map(({ number, weight = 1, state = 'active' }) => `      - { name: b${number}, address: ${address(number)}, weight: ${weight}, state: ${state} }`).join('\n')}
`;
}

const hundred = Array.from({ length: 100 }, (_, i): Wish => ({ number: i + 10 }));
const changed = [
  ...hundred.slice(2).map((one, i): Wish => {
    if (i === 10) return { ...one, state: 'draining' };
    return i === 20 ? { ...one, weight: 3 } : one;
  }),
  { number: 110 },
  { number: 111 },
  { number: 112 },
];

/** The controller's clock: it goes as that of the machine, but stands still where somebody is to look before time passes. */
class StoppableClock implements Clock {
  private stoppedAt: number | undefined;
  private aheadMs = 0;

  now(): number {
    return Math.round((this.stoppedAt ?? performance.now()) + this.aheadMs);
  }

  date(): Date {
    return new Date();
  }

  after(delayMs: number, callback: () => void): () => void {
    const dueAt = this.now() + delayMs;
    const look = (): void => (this.now() < dueAt ? wait() : callback());
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      timer = setTimeout(look, this.stoppedAt === undefined ? Math.max(dueAt - this.now(), 0) : 5);
    };
    wait();
    return () => clearTimeout(timer);
  }

  stop(): void {
    this.stoppedAt ??= performance.now();
  }

  advance(ms: number): void {
    this.aheadMs += ms;
  }

  go(): void {
    this.aheadMs -= performance.now() - (this.stoppedAt ?? performance.now());
    this.stoppedAt = undefined;
  }
}

let clock: StoppableClock;
let target: RunningSwitch;
let controller: RunningController;
let env: Record<string, string>;
let folder: string;
const path = (name: string): string => join(folder, name);

beforeEach(async (context) => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-plan-'));
  await writeFile(path('in-force.yaml'), config(hundred));
  await writeFile(path('new.yaml'), config(changed));
  target = await startSwitch({ grpcAddress: '127.0.0.1:0', deviceId: 1n, cpuPort: 510 });
  clock = new StoppableClock();
  controller = await startController({
    clock,
    configPath: path('in-force.yaml'),
    switchAddress: { host: '127.0.0.1', port: Number(target.address.split(':')[1]) },
    listen: { host: '127.0.0.1', port: 0 },
    engine: { tcpSettleMs, mergeMarginMs: 100, quarantineMs: 500 },
  });
  env = { EVENKEEL_CONTROLLER: controller.adminUrl, EVENKEEL_TOKEN: controller.adminToken };
  context.onTestFinished(async () => {
    await controller.close();
    await target.close();
    await rm(folder, { recursive: true });
  });
  await until(isAtRest);
});

function isAtRest(): boolean {
  const { pools, change, writes } = controller.status().engine;
  const isServing = pools[0]?.phase === 'serving' && pools[0].unstableSlots === 0;
  return isServing && change.phase === 'idle' && writes.unsettledRows === 0;
}

/** Runs a command line while the clock stands still: a change settles, and its commit passes, only when the command has told of it. */
async function slowly(commandLine: string, screen = new Screen(env)) {
  clock.stop();
  const { onOutput } = screen;
  screen.onOutput = (text) => {
    onOutput(text);
    if (text.startsWith('settles')) clock.advance(tcpSettleMs);
    if (text.startsWith('committed')) clock.go();
  };
  const exitCode = await run(commandLine.split(' '), screen);
  return { exitCode, stdout: screen.stdout, stderr: screen.stderr };
}

async function planned(file = 'new.yaml'): Promise<PlanResult> {
  const { stdout, exitCode } = await evenkeel(`plan ${path(file)} -o json`, env);
  expect(exitCode).toBe(0);
  const plan = JSON.parse(stdout) as PlanResult;
  expect(planResultSchema.parse(plan)).toEqual(plan);
  return plan;
}

/** Of each table but the version, which is rotated by the clock. */
const written = (): Record<string, number> => ({ ...controller.status().switch.written });

it('foretells every write to the switch and every slot of a changed list of 100 backends', async () => {
  const { plan, changes } = await planned();
  expect(changes).toHaveLength(7);
  const before = written();
  const commitsBefore = controller.status().engine.commits.length;
  expect((await evenkeel(`apply ${path('new.yaml')} --wait merged`, env)).exitCode).toBe(0);
  await until(isAtRest);

  const after = written();
  const counted: Record<string, number> = {};
  for (const { phase, table, inserted, modified, deleted } of plan!.writes)
    if (phase !== 'rotation' && phase !== 'commit')
      counted[table] = (counted[table] ?? 0) + inserted + modified + deleted;
  const done = Object.keys(after).map((table) => [table, after[table]! - (before[table] ?? 0)] as const);
  expect(Object.fromEntries(done.filter(([table, count]) => table !== 'version' && count > 0))).toEqual(
    counted,
  );
  const { commits, pools } = controller.status().engine;
  expect(commits).toHaveLength(commitsBefore + plan!.commits);
  expect(commits.at(-1)!.movedSlots).toBe(plan!.movedSlots);
  const share = new Map(pools[0]!.backends.map(({ name, slots }) => [name, slots]));
  for (const {
    name,
    slots: { to },
  } of plan!.pools[0]!.backends)
    expect([name, share.get(name) ?? 0]).toEqual([name, to]);
});

it('has nothing to say about what is in force, also while that is being done', async () => {
  expect(await evenkeel(`plan ${path('new.yaml')} --exit-code`, env)).toMatchObject({ exitCode: 5 });
  const applied = await evenkeel(`apply ${path('new.yaml')} --wait none`, env);
  expect(applied).toMatchObject({ exitCode: 0 });
  expect(await readFile(path('in-force.yaml'), 'utf8')).toBe(config(changed));
  for (let look = 0; look < 3; look++) {
    const again = await evenkeel(`plan ${path('new.yaml')} --exit-code`, env);
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toContain('Nothing is to be written.');
  }
  await until(isAtRest);
});

it('tells what it will do, does it, and tells how far it is', async () => {
  const { stdout } = await slowly(`apply ${path('new.yaml')} --wait merged --flows 10000`);
  expect(stdout).toContain(
    '+ vip web, backend b110: { name: b110, address: 10.0.2.110, weight: 1, state: active }',
  );
  expect(stdout).toMatch(/web b22 +drained +1 +41 -> 0 +1\.0 % -> 0\.0 %/);
  expect(stdout).toMatch(/web +changed +4,096 +\d+ \(\d\.\d %\) +0 +\d+ +about \d+ +about 0/);
  expect(stdout).toMatch(
    /\nin force\n(.*\n)*settles: \d+ rows\n(.*\n)*committed, \d+ slots moved in .*\n(.*\n)*stable: no slot is unstable\n$/,
  );
});

it('applies a saved plan, unless something has come between', async () => {
  await writeFile(path('plan.json'), JSON.stringify(await planned()));
  await evenkeel('weight web b50 2', env);
  const outdated = await evenkeel(`apply ${path('new.yaml')} --plan ${path('plan.json')}`, env);
  expect(outdated).toMatchObject({ exitCode: 1 });
  expect(outdated.stderr).toMatch(/has changed since the plan was made; expected a new plan/);
  expect(await readFile(path('in-force.yaml'), 'utf8')).not.toBe(config(changed));
  await writeFile(path('plan.json'), JSON.stringify(await planned()));
  expect(await evenkeel(`apply ${path('new.yaml')} --plan ${path('plan.json')}`, env)).toMatchObject({
    exitCode: 0,
  });
});

it('can be interrupted and taken up again, and knows the way back', async () => {
  const screen = new Screen(env);
  screen.onOutput = (text) => {
    if (/settles|prepares|makes/.test(text)) screen.ending.abort();
  };
  const words = `apply ${path('new.yaml')} --previous ${path('old.yaml')}`;
  const { exitCode, stderr } = await slowly(words, screen);
  expect(exitCode).toBe(7);
  expect(stderr).toContain('interrupted: the change goes on without this command');
  expect(stderr).toContain(`To go back: evenkeel apply ${path('old.yaml')}`);
  const again = await slowly(`apply ${path('new.yaml')}`);
  expect(again).toMatchObject({ exitCode: 0 });
  expect(again.stdout).toMatch(/in force already\n(.*\n)*committed/);
  expect(await evenkeel(`apply ${path('old.yaml')} --wait none`, env)).toMatchObject({ exitCode: 0 });
  expect(await readFile(path('in-force.yaml'), 'utf8')).toBe(config(hundred));
});

it('is not begun when the way back cannot be kept', async () => {
  const refused = await evenkeel(`apply ${path('new.yaml')} --previous ${path('no-folder/old.yaml')}`, env);
  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toMatch(/no-folder\/old\.yaml cannot be written/);
  expect(await readFile(path('in-force.yaml'), 'utf8')).toBe(config(hundred));
});

it('compares configurations in words', async () => {
  await writeFile(path('other.yaml'), config(hundred.slice(1), '    affinity: source\n'));
  const { stdout } = await evenkeel(`diff ${path('other.yaml')}`, env);
  expect(stdout.split('\n')).toEqual([
    '~ vip web, affinity: none -> source',
    '- vip web, backend b10: { name: b10, address: 10.0.2.10, weight: 1, state: active }',
    '',
  ]);
  expect(await evenkeel(`diff ${path('in-force.yaml')} --exit-code`, env)).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
});

it('rehearses nothing to compare configurations, and does not wait for who rehearses', async () => {
  const rehearsed = controller.plan(config(changed), true);
  const compared = await controller.plan(config(changed), false);
  expect(planResultSchema.parse(compared)).toEqual(compared);
  expect(compared).toEqual({ ...(await rehearsed), plan: undefined });
});

it('needs no controller to say what would come of one file after another', async () => {
  const words = `plan ${path('new.yaml')} --from ${path('in-force.yaml')} -o json`;
  const { stdout } = await evenkeel(words, { EVENKEEL_CONTROLLER: '127.0.0.1:1' });
  const alone = JSON.parse(stdout) as PlanResult;
  const { plan } = await planned();
  expect(alone.plan!.pools).toEqual(plan!.pools);
});

it('refuses what is no configuration, and those who may not change anything', async () => {
  await writeFile(path('bad.yaml'), config(hundred).replace('port: 80', 'port: 800000'));
  const bad = await evenkeel(`plan ${path('bad.yaml')}`, env);
  expect(bad).toMatchObject({ exitCode: 4, stdout: '' });
  expect(bad.stderr).toMatch(/800000/);
  const stranger = { ...env, EVENKEEL_TOKEN: 'x'.repeat(30) };
  for (const command of ['plan', 'diff', 'apply'])
    expect(await evenkeel(`${command} ${path('new.yaml')}`, stranger)).toMatchObject({
      exitCode: 1,
      stdout: '',
    });
  expect(await readFile(path('in-force.yaml'), 'utf8')).toBe(config(hundred));
});
