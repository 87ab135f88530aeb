// SPDX-License-Identifier: Apache-2.0
/**
 * Somebody writes to a switch behind the controller's back, on both targets: with the controller's own election id, as a forgotten
 * script may. Whoever takes the switch over with a higher one is noticed anyway, and what is there is the truth then.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { evenkeel } from '../../cli/testing/screen.ts';
import { driftReportSchema } from '../../controller/adapters/http/drift-schema.ts';
import type { SlotTable } from '../../controller/core/desired.ts';
import type { Row, RowUpdate, SlotPrefixRow } from '../../controller/core/row.ts';
import type { RunningController } from '../../controller/main.ts';
import type { DriftReport } from '../../controller/ports/switch.ts';
import { EmbeddedTarget } from '../../controller/testing/embedded-target.ts';
import { openTestFolder, startTestController, until } from '../../controller/testing/in-test.ts';
import { Bmv2Target, type GroupTarget, rowsOf, writeWithItsId } from './group-target.ts';

const electionId = 42;

async function start(
  targets: readonly GroupTarget[],
  settings = '',
  table: SlotTable = 'maglev',
  folder?: string,
): Promise<RunningController> {
  const configPath = join(folder ?? (await openTestFolder()), 'evenkeel.yaml');
  const list = targets.map(
    ({ address, deviceId }, i) => `  - { name: s${i + 1}, address: ${address}, device_id: ${deviceId} }\n`,
  );
  await writeFile(
    configPath,
    `controller: { election_id: ${electionId}${settings} }
switches:
${list.join('')}network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
  neighbours:
    - { address: 10.0.2.11, mac: '02:00:00:00:02:11', port: 2 }
    - { address: 10.0.2.12, mac: '02:00:00:00:02:12', port: 2 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 512
    table: ${table}
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080 }
`,
  );
  const controller = await startTestController({ configPath });
  await until(() => isQuiet(controller));
  return controller;
}

function isQuiet(controller: RunningController): boolean {
  const { engine, switch: target } = controller.status();
  const isServing = engine.pools[0]?.phase === 'serving' && engine.writes.unsettledRows === 0;
  const areThere = target.members!.every(({ state }) => state === 'participating');
  return isServing && areThere && engine.change.phase === 'idle';
}

const envOf = ({ adminUrl, adminToken }: RunningController) => ({
  EVENKEEL_CONTROLLER: adminUrl,
  EVENKEEL_TOKEN: adminToken,
});

async function drift(controller: RunningController, words = ''): Promise<DriftReport[]> {
  const { stdout, stderr, exitCode } = await evenkeel(`drift -o json ${words}`, envOf(controller));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const reports = JSON.parse(stdout) as DriftReport[];
  expect(driftReportSchema.array().parse(reports)).toEqual(reports);
  expect(reports.flatMap(({ problem = [] }) => problem)).toEqual([]);
  return reports;
}

const kindsOf = ({ rows }: DriftReport): string[] => rows.map(({ kind, table }) => `${kind} ${table}`).sort();

const slot = (slot: number, backend: number): Row => ({
  table: 'slot',
  pool: 1,
  slot,
  unstable: false,
  pinsBase: false,
  backend,
});
const route: Row = { table: 'route', prefix: 0x0b00_0000, prefixLength: 8, nextHop: 0x0a00_0201 };
const pin: Row = {
  table: 'pin',
  pool: 1,
  sourceAddress: 0x0a00_0107,
  sourcePort: 7,
  backend: 1,
  idleTimeoutMs: 900_000,
};
const version: Row = {
  table: 'version',
  active: 2,
  filters: [
    { epoch: 3, column: 1, learn: true },
    { epoch: 0, column: 0, learn: false },
    { epoch: 4, column: 1, learn: true },
    { epoch: 0, column: 0, learn: false },
  ],
};
const mischief: RowUpdate[] = [
  { operation: 'delete', row: slot(5, 1) },
  { operation: 'modify', row: slot(6, 9) },
  {
    operation: 'modify',
    row: { table: 'backend', backend: 2, forwarding: 'nat', address: 0x0a00_0263, port: 1 },
  },
  { operation: 'modify', row: version },
  { operation: 'insert', row: route },
  { operation: 'insert', row: pin },
];
const seen = [
  'changed backend',
  'changed slot',
  'changed version',
  'foreign pin',
  'foreign route',
  'missing slot',
];

const executable = process.env.BMV2_SWITCH_EXE;

async function opened(target: GroupTarget): Promise<GroupTarget> {
  await target.start();
  onTestFinished(() => target.stop());
  return target;
}

describe.each([
  ['the embedded switch', true, async () => opened(new EmbeddedTarget())],
  ['simple_switch_grpc', executable !== undefined, async () => opened(await Bmv2Target.create(executable!))],
] as const)('what somebody else has written to %s', (_name, isThere, open) => {
  const onTarget = it.skipIf(!isThere);

  onTarget('is seen, told and repaired', async () => {
    const target = await open();
    const controller = await start([target]);
    expect(await drift(controller)).toMatchObject([{ switch: 's1', rows: [] }]);
    const before = await rowsOf(target);
    await writeWithItsId(target, BigInt(electionId), mischief);

    const [report] = await drift(controller);
    expect(kindsOf(report!)).toEqual(seen);
    expect(controller.status().switch.connection).toBe('ready');
    const { stdout } = await evenkeel('status', envOf(controller));
    expect(stdout).toContain(
      '! somebody else has written to switch s1: 1 rows missing, 3 changed, 2 foreign',
    );
    expect((await evenkeel('drift --exit-code', envOf(controller))).exitCode).toBe(5);

    expect((await drift(controller, '--repair'))[0]).toMatchObject({ rows: [] });
    expect(await rowsOf(target)).toEqual(before);
    const { stdout: events } = await evenkeel('events --topic switch', envOf(controller));
    expect(events).toMatch(/somebody else has written to the switch/);
    expect(events).toMatch(/the switch holds what it should again/);
  });

  onTarget('in a prefix table is told slot by slot, and its rows are repaired', async () => {
    const target = await open();
    const controller = await start([target], '', 'prefix');
    const before = await rowsOf(target);
    const prefixes = before
      .map((row) => JSON.parse(row) as SlotPrefixRow)
      .filter((row) => row.table === 'slot_prefix')
      .sort((a, b) => a.prefixLength - b.prefixLength);
    expect(prefixes).toMatchObject([
      { slot: 0, prefixLength: 7 },
      { slot: 256, prefixLength: 8 },
    ]);
    const [all, upperHalf] = prefixes;
    await writeWithItsId(target, BigInt(electionId), [
      { operation: 'insert', row: { ...upperHalf!, slot: 6, prefixLength: 16 } },
      { operation: 'delete', row: all! },
    ]);
    const [report] = await drift(controller);
    expect(report!.counts).toEqual({ missing: 255, changed: 1, foreign: 0 });
    expect((await drift(controller, '--repair'))[0]).toMatchObject({ rows: [] });
    expect(await rowsOf(target)).toEqual(before);
  });

  onTarget('is adopted: rows of ours are where the controller begins anew, others are let be', async () => {
    const target = await open();
    const folder = await openTestFolder();
    const controller = await start([target], '', 'maglev', folder);
    await writeWithItsId(
      target,
      BigInt(electionId),
      mischief.filter(({ row }) => row.table !== 'backend'),
    );
    expect((await drift(controller, '--adopt'))[0]).toMatchObject({ rows: [], tolerated: 1 });
    // What is wanted is still wanted: every slot has somebody again.
    await until(() => {
      const { backends, slotCount } = controller.status().engine.pools[0]!;
      return isQuiet(controller) && backends.reduce((sum, { slots }) => sum + slots, 0) === slotCount;
    });
    const rows = await rowsOf(target);
    expect(rows.filter((row) => row.includes(`"prefix":${0x0b00_0000},`))).toHaveLength(1);
    const epochs = controller.status().engine.version.filters.map(({ epoch }) => epoch);
    expect(Math.max(...epochs)).toBeGreaterThanOrEqual(4);
    expect((await drift(controller))[0]!.rows).toEqual([]);

    await controller.close();
    // It finds the notes of the one before.
    const next = await start([target], '', 'maglev', folder);
    const isThere = async () =>
      (await rowsOf(target)).some((row) => row.includes(`"prefix":${0x0b00_0000},`));
    expect(await isThere()).toBe(true);
    expect((await evenkeel('drift', envOf(next))).stdout).toMatch(
      / {2}adopted, and let be: 1 rows of others\n {4}route prefix=11\.0\.0\.0 prefixLength=8 nextHop=10\.0\.2\.1\n/,
    );
    const [released] = await drift(next, '--release');
    expect([kindsOf(released!), released!.tolerated]).toEqual([['foreign route'], 0]);
    await drift(next, '--repair');
    expect(await isThere()).toBe(false);
  });

  onTarget('on one of a group is seen there, and repaired there', async () => {
    const targets = [await open(), await open()];
    const controller = await start(targets);
    await writeWithItsId(targets[1]!, BigInt(electionId), mischief);
    expect((await drift(controller)).map((report) => [report.switch, kindsOf(report)])).toEqual([
      ['s1', []],
      ['s2', seen],
    ]);
    await drift(controller, 's2 --repair');
    const withoutEra = (rows: string[]) => rows.filter((row) => !row.includes('"protocol":0'));
    expect(withoutEra(await rowsOf(targets[1]!))).toEqual(withoutEra(await rowsOf(targets[0]!)));
  });
});

it('is seen without being asked for', async () => {
  const target = await opened(new EmbeddedTarget());
  const controller = await start([target], ', audit: 1s');
  await writeWithItsId(target, BigInt(electionId), mischief);
  await until(() => controller.status().switch.members![0]!.drift!.counts.changed === 3);
  const metrics = await (await fetch(new URL('/metrics', controller.adminUrl))).text();
  expect(metrics).toContain('evenkeel_switch_drift_rows{switch="s1",kind="missing"} 1');
  expect(metrics).toMatch(/evenkeel_switch_audits_total\{switch="s1"\} [1-9]/);
});

it('is not seen in what the controller is writing itself', async () => {
  const target = await opened(new EmbeddedTarget());
  const controller = await start([target]);
  let isOver = false;
  const found: number[] = [];
  const looking = (async () => {
    while (!isOver) found.push((await drift(controller))[0]!.rows.length);
  })();
  // However long a look takes, some of them fall into changes.
  for (let change = 0; change < 4 || found.length <= 3; change++) {
    await controller.edit({ kind: 'weight', vip: 'web', backend: 'a', weight: 2 + (change % 4) });
    await until(() => isQuiet(controller));
  }
  isOver = true;
  await looking;
  expect(found.filter((rows) => rows !== 0)).toEqual([]);
});
