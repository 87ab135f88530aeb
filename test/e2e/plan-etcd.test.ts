// SPDX-License-Identifier: Apache-2.0
/** Plans and changes of two controllers with an etcd: processes, of which the leader is killed in the middle of a change. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../cli/commands.ts';
import { exitCodes } from '../../cli/exit-code.ts';
import { evenkeel, Screen } from '../../cli/testing/screen.ts';
import type { ControllerStatus, PlanResult } from '../../controller/adapters/http/admin.ts';
import type { Row } from '../../controller/core/row.ts';
import { EmbeddedTarget } from '../../controller/testing/embedded-target.ts';
import { startEtcd, whyNoEtcd } from '../../controller/testing/etcd-process.ts';
import { freePort, programPath, startProgram, type Watched } from '../../demo/programs.ts';
import { writeWithItsId } from './group-target.ts';

const noEtcd = whyNoEtcd();
const token = randomBytes(32).toString('hex');
const slotCount = 4_096;

class Member {
  readonly configPath: string;
  readonly env: Record<string, string>;
  private readonly listen: string;
  private process: Watched | undefined;

  constructor(configPath: string, listen: string) {
    this.configPath = configPath;
    this.listen = listen;
    this.env = { EVENKEEL_CONTROLLER: `http://${listen}`, EVENKEEL_TOKEN: token };
  }

  start(): void {
    const argv = ['controller', '-c', this.configPath];
    this.process = startProgram([process.execPath, programPath('cli/evenkeel.js'), ...argv]);
  }

  /** It cannot even say goodbye. */
  async kill(): Promise<void> {
    this.process?.child.kill('SIGKILL');
    await this.process?.ended;
  }

  /** Undefined when it does not answer. */
  async status(): Promise<ControllerStatus | undefined> {
    try {
      return (await (await fetch(`http://${this.listen}/api/v1/status`)).json()) as ControllerStatus;
    } catch {
      if (this.process?.ending() !== undefined && this.process.ending() !== 'signal SIGKILL')
        throw new Error(this.process.lines.join('\n'));
      return undefined;
    }
  }
}

let folder: string;
let target: EmbeddedTarget;
let leader: Member;
let standby: Member;
let inForce: string;
const path = (name: string): string => join(folder, name);

/** Neighbours are told, so that nobody need answer. */
function textOf(
  etcd: string,
  listen: string,
  numbers: readonly number[],
  weights: Readonly<Record<number, number>> = {},
): string {
  const all = Array.from({ length: 30 }, (_, i) => i + 10);
  return `switches: [{ name: s1, address: ${target.address}, device_id: ${target.deviceId} }]
controller:
  listen: ${listen}
  token_file: admin.token
  store: { kind: etcd, endpoints: [${etcd}], lease: 2s }
  timers: { rotation: 2s, quarantine: 2s, merge_margin: 500ms, stale_digest: 1s }
network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
  neighbours:
${all.map((n) => `    - { address: 10.0.2.${n}, mac: '02:00:00:00:02:${n}', port: 2 }`).join('\n')}
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: ${slotCount}
    session_timeout: 5s
    backends:
${numbers.map((n) => `      - { name: b${n}, address: 10.0.2.${n}, weight: ${weights[n] ?? 1} }`).join('\n')}
`;
}

/** The test's own time limit is the end of patience. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function isAtRest(member: Member): Promise<boolean> {
  const engine = (await member.status())?.engine;
  const pool = engine?.pools[0];
  const isDone = engine?.change.phase === 'idle' && engine.writes.unsettledRows === 0;
  return isDone && pool?.phase === 'serving' && pool.unstableSlots === 0;
}

async function planned(member: Member): Promise<PlanResult> {
  const { stdout, stderr, exitCode } = await evenkeel(`plan ${path('new.yaml')} -o json`, member.env);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as PlanResult;
}

async function shares(member: Member): Promise<Record<string, number>> {
  const { backends } = (await member.status())!.engine.pools[0]!;
  return Object.fromEntries(
    backends.filter(({ slots }) => slots > 0).map(({ name, slots }) => [name, slots]),
  );
}

const shareOf = ({ plan }: PlanResult): Record<string, number> =>
  Object.fromEntries(
    plan!.pools[0]!.backends.filter(({ slots }) => slots.to > 0).map(({ name, slots }) => [name, slots.to]),
  );

describe.skipIf(noEtcd)(`with an etcd${noEtcd ? ` (skipped: ${noEtcd})` : ''}`, () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'evenkeel-plan-etcd-'));
    target = new EmbeddedTarget();
    const [etcd] = await Promise.all([startEtcd(), target.start()]);
    const first = Array.from({ length: 20 }, (_, i) => i + 10);
    await writeFile(path('admin.token'), token, { mode: 0o600 });
    const members: Member[] = [];
    for (const name of ['one.yaml', 'two.yaml']) {
      const listen = `127.0.0.1:${await freePort()}`;
      // Each has its own address in its own file; the text that they share is that of the first.
      await writeFile(path(name), textOf(etcd.endpoint, listen, first));
      members.push(new Member(path(name), listen));
    }
    [leader, standby] = members as [Member, Member];
    inForce = await readFile(leader.configPath, 'utf8');
    const [listen] = /127\.0\.0\.1:\d+(?=\n {2}token_file)/.exec(inForce)!;
    const changed = textOf(etcd.endpoint, listen, [...first.slice(2), 30, 31], { 15: 3 });
    await writeFile(path('new.yaml'), changed);
    onTestFinished(async () => {
      await Promise.all(members.map((member) => member.kill()));
      await Promise.all([target.stop(), etcd.close()]);
      await rm(folder, { recursive: true });
    });
    leader.start();
    await until(() => isAtRest(leader));
    standby.start();
    await until(async () => (await standby.status())?.leadership.role === 'standby');
  }, 60_000);

  it('a plan is what comes, whoever is given it; and is refused when somebody has come between', async () => {
    const plan = await planned(leader);
    expect(plan.changes).toHaveLength(5);
    // Who leads not knows no table to begin with: it says only what is other.
    expect((await planned(standby)).plan).toBeUndefined();
    expect((await planned(standby)).changes).toEqual(plan.changes);

    await writeFile(path('plan.json'), JSON.stringify(plan));
    expect(await evenkeel('weight web b20 2', standby.env)).toMatchObject({ exitCode: 0 });
    const outdated = await evenkeel(`apply ${path('new.yaml')} --plan ${path('plan.json')}`, leader.env);
    expect(outdated).toMatchObject({ exitCode: 1 });
    expect(outdated.stderr).toMatch(/has changed since the plan was made; expected a new plan/);

    await until(() => isAtRest(leader));
    const again = await planned(leader);
    await writeFile(path('plan.json'), JSON.stringify(again));
    // Given to the one that stands by, and carried out by the one that leads.
    const words = `apply ${path('new.yaml')} --plan ${path('plan.json')} --previous ${path('old.yaml')}`;
    const applied = await evenkeel(words, standby.env);
    expect(applied).toMatchObject({ exitCode: 0, stderr: '' });
    expect(applied.stdout).toContain('another controller leads: it carries out the change');
    await until(async () => (await leader.status())!.engine.commits.length > 1 && (await isAtRest(leader)));
    expect(await shares(leader)).toEqual(shareOf(again));
    expect((await leader.status())!.engine.commits.at(-1)!.movedSlots).toBe(again.plan!.movedSlots);

    expect(await evenkeel(`plan ${path('new.yaml')} --exit-code`, leader.env)).toMatchObject({ exitCode: 0 });
    expect(await evenkeel(`diff ${path('new.yaml')} --exit-code`, standby.env)).toMatchObject({
      exitCode: 0,
    });
    // Files are what was brought at first, and the way back is what was in etcd.
    expect(await readFile(leader.configPath, 'utf8')).toBe(inForce);
    expect(await readFile(path('old.yaml'), 'utf8')).toBe(
      inForce.replace('10.0.2.20, weight: 1', '10.0.2.20, weight: 2'),
    );
  }, 120_000);

  it.each(['prepares columns', 'settles', 'slots are unstable'])(
    'a change whose leader is killed when it says "%s" is taken up by the other, and the same command shows where it is',
    async (words) => {
      const route: Row = { table: 'route', prefix: 0x0b00_0000, prefixLength: 8, nextHop: 0x0a00_020a };
      const { term } = (await leader.status())!.leadership;
      await writeWithItsId(target, BigInt(term!), [{ operation: 'insert', row: route }]);
      expect((await evenkeel('drift --adopt', leader.env)).stdout).toContain('adopted, and let be: 1 rows');
      const plan = await planned(leader);

      const screen = new Screen(leader.env);
      let death: Promise<void> | undefined;
      screen.onOutput = (text) => {
        if (
          /^(prepares|makes|settles|commits|committed)/.test(text) &&
          (text.includes(words) || /commits|committed/.test(text))
        )
          death ??= leader.kill();
      };
      const exitCode = await run(['apply', path('new.yaml'), '--wait', 'merged'], screen);
      await death;
      expect(exitCode).toBe(exitCodes.unreachable);
      expect(screen.stderr).toContain(
        'the configuration is in force: another controller, or this one when it is back, goes on',
      );

      await until(async () => (await standby.status())?.leadership.role === 'leader');
      const again = await evenkeel(`apply ${path('new.yaml')} --wait merged`, standby.env);
      expect(again).toMatchObject({ exitCode: 0, stderr: '' });
      expect(again.stdout).toMatch(/in force already\n(.*\n)*stable: no slot is unstable\n$/);
      expect(await shares(standby)).toEqual(shareOf(plan));
      expect((await standby.status())!.engine.writes.failures).toBe(0);
      expect((await evenkeel('drift', standby.env)).stdout).toContain('adopted, and let be: 1 rows');
    },
    120_000,
  );
});
