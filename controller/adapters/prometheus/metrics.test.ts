// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { status } from '../../core/status.ts';
import { backend, desired, pool, Rig } from '../../core/testing/rig.ts';
import type { SwitchStatus } from '../../ports/switch.ts';
import { createMetrics, type Measured } from './metrics.ts';

const target: SwitchStatus = {
  target: '127.0.0.1:9559',
  connection: 'ready',
  problem: undefined,
  notices: { received: 12, unreadable: 1 },
  traffic: {
    decisions: { stable: { packets: 5, bytes: 500 } },
    drops: { ttl: { packets: 1, bytes: 64 } },
    hints: { used: { packets: 7, bytes: 700 } },
    limited: { flows: { packets: 2, bytes: 120 } },
    pools: { 1: { packets: 6, bytes: 600 } },
    backends: { 1: { packets: 3, bytes: 300 } },
  },
  written: { slot: 16 },
  members: [
    {
      name: 's1',
      address: '127.0.0.1:9559',
      state: 'participating',
      stateMs: 5,
      rowsBehind: 0,
      problem: undefined,
    },
    {
      name: 's2',
      address: '127.0.0.1:9560',
      state: 'joining',
      stateMs: 5,
      rowsBehind: 3,
      problem: undefined,
    },
  ],
};

const checked = {
  stateMs: 5,
  verdictMs: 5,
  failure: undefined,
  latencyMs: undefined,
  problem: undefined,
  penalty: 0,
  suppressedMs: undefined,
};

function measure(names: number[]) {
  const rig = new Rig().start(desired(pool(names.map((name) => backend(name)))));
  const measured = (): Measured => ({
    leadership: { role: 'leader' },
    config: { problems: [], needsRestart: ['switch.address'] },
    switch: target,
    queue: { waiting: 0, dropped: 2 },
    engine: status(rig.state, rig.now),
    load: [
      {
        pool: 'web',
        source: 'http',
        problem: undefined,
        changes: 3,
        backends: [
          { backend: 'b1', weight: 256, configured: 256, load: 0.25 },
          { backend: 'b2', weight: 256, configured: 256, load: undefined },
        ],
      },
    ],
    announcer: { announced: ['10.0.0.100/32', '2001:db8::100/128'], problem: 'it hung up' },
    health: [
      {
        pool: 'web',
        check: 'tcp',
        isPanicking: false,
        backends: [
          { ...checked, backend: 'b1', state: 'up', verdict: 'trusted', latencyMs: 12 },
          { ...checked, backend: 'b2', state: 'down', verdict: 'avoided', failure: 'refused' },
          { ...checked, backend: 'b3', state: 'unknown', verdict: 'trusted' },
        ],
      },
    ],
  });
  return { rig, metrics: createMetrics(measured) };
}

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const dashboardPath = new URL('../../../docs/grafana-dashboard.json', import.meta.url);

describe('the metrics', () => {
  it('are what the controller knows', async () => {
    const { rig, metrics } = measure([1, 2]);
    rig.want(desired(pool([backend(1), backend(2), backend(3, { state: 'draining' }), backend(4)])));
    rig.pass(1_000);
    metrics.observeCommit(status(rig.state, rig.now).commits[0]!);
    const lines = (await metrics.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'evenkeel_role{role="leader"} 1',
        'evenkeel_role{role="standby"} 0',
        'evenkeel_engine_running 1',
        'evenkeel_config_restart_needed 1',
        'evenkeel_pool_slots{pool="web"} 16',
        expect.stringMatching(/^evenkeel_pool_unstable_slots\{pool="web"\} [1-9]/),
        'evenkeel_backend_state{pool="web",backend="b3",state="draining"} 1',
        'evenkeel_backend_state{pool="web",backend="b3",state="active"} 0',
        'evenkeel_pool_bytes_total{pool="web"} 600',
        'evenkeel_backend_packets_total{pool="web",backend="b1"} 3',
        'evenkeel_decision_packets_total{decision="stable"} 5',
        'evenkeel_dropped_bytes_total{reason="ttl"} 64',
        'evenkeel_hint_packets_total{outcome="used"} 7',
        'evenkeel_limited_packets_total{rate="flows"} 2',
        'evenkeel_pool_dead{pool="web"} 0',
        'evenkeel_announced_vips 2',
        'evenkeel_announcer_in_order 0',
        'evenkeel_backend_up{pool="web",backend="b1"} 1',
        'evenkeel_backend_up{pool="web",backend="b2"} 0',
        'evenkeel_backend_verdict{pool="web",backend="b2",verdict="avoided"} 1',
        'evenkeel_backend_probe_duration_seconds{pool="web",backend="b1"} 0.012',
        'evenkeel_pool_checks_distrusted{pool="web"} 0',
        'evenkeel_backend_load{pool="web",backend="b1"} 0.25',
        'evenkeel_load_weight_changes_total{pool="web"} 3',
        'evenkeel_backend_wanted_share_ratio{pool="web",backend="b3"} 0',
        'evenkeel_commits_total 1',
        'evenkeel_commit_duration_seconds_count 1',
        'evenkeel_filter_slots{state="active"} 1',
        'evenkeel_notices_total 12',
        'evenkeel_updates_sent_total{table="slot"} 16',
        'evenkeel_switch_participating{switch="s1"} 1',
        'evenkeel_switch_rows_behind{switch="s2"} 3',
      ]),
    );
    expect(lines.filter((line) => line.startsWith('evenkeel_backend_up{'))).toHaveLength(2);
    // What was never read is not 0.
    expect(lines.filter((line) => line.startsWith('evenkeel_backend_packets_total{'))).toHaveLength(1);
  });

  it('forget a backend that is gone, and count nothing twice', async () => {
    const { rig, metrics } = measure([1, 2]);
    expect(await metrics.text()).toContain('weight{pool="web",backend="b2"}');
    rig.want(desired(pool([backend(1)])));
    rig.pass(3_600_000);
    const text = await metrics.text();
    expect(text).not.toMatch(/(share_ratio|weight|pins|state)\{pool="web",backend="b2"/);
    expect(text).toContain('evenkeel_notices_total 12\n');
  });

  it('have names that say unit and kind, and labels of the configuration alone', async () => {
    const text = await measure([1, 2]).metrics.text();
    const kinds = [...text.matchAll(/^# TYPE (evenkeel_\S+) (\S+)$/gm)];
    expect(kinds.length).toBeGreaterThan(30);
    for (const [, name, kind] of kinds)
      expect([name, kind === 'counter']).toEqual([name, name!.endsWith('_total')]);
    const labels = new Set(
      [...text.matchAll(/^evenkeel_\w+\{([^}]*)\}/gm)].flatMap(([, all]) => all!.match(/\w+(?==")/g)),
    );
    labels.delete('le');
    expect([...labels].sort()).toEqual([
      'backend',
      'decision',
      'outcome',
      'pool',
      'rate',
      'reason',
      'role',
      'state',
      'switch',
      'table',
      'verdict',
    ]);
    expect(text).not.toMatch(/_(ms|millis\w*)\b/);
  });

  it.skipIf(!hasPromtool)('please promtool (needs it)', async () => {
    const { metrics } = measure([1, 2]);
    // It judges the naming of Node's own metrics, too; those are not ours to name.
    const own = (await metrics.text())
      .split('\n')
      .filter((line) => /^(# (HELP|TYPE) )?evenkeel_/.test(line))
      .join('\n');
    expect(execFileSync('promtool', ['check', 'metrics'], { input: `${own}\n`, encoding: 'utf8' })).toBe('');
  });

  const dashboard = JSON.parse(readFileSync(dashboardPath, 'utf8')) as {
    panels: {
      id: number;
      title: string;
      gridPos: { x: number; y: number; w: number; h: number };
      targets: { expr: string; legendFormat?: string }[];
    }[];
  };
  const shown = dashboard.panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => expr.match(/\b(evenkeel|process|nodejs)_\w+/g) ?? []),
  );

  it('have every metric that the dashboard of Grafana shows', () => {
    const known = new Set(
      measure([1, 2])
        .metrics.names()
        .flatMap((name) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]),
    );
    expect(shown.length).toBeGreaterThan(50);
    expect(shown.filter((name) => !known.has(name))).toEqual([]);
  });

  it('have the labels by which the dashboard chooses and names them', () => {
    const labels = new Map(
      measure([1, 2])
        .metrics.described()
        .map(({ name, labels: own }) => [name, own]),
    );
    const strange: string[] = [];
    for (const { expr, legendFormat = '' } of dashboard.panels.flatMap(({ targets }) => targets)) {
      const asked = [...expr.matchAll(/(evenkeel_\w+)\{([^}]*)\}/g)];
      for (const [, name, matchers] of asked) {
        const own = labels.get(name!.replace(/_bucket$/, ''));
        const used = [
          ...[...matchers!.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label!),
          ...[...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!),
        ];
        // Each is of the job that is chosen: what Prometheus adds to what we say.
        if (!used.includes('job')) strange.push(`${expr}: no job`);
        for (const label of used)
          if (label !== 'job' && !own?.includes(label)) strange.push(`${expr}: ${label}`);
      }
      expect(asked.length).toBe([...expr.matchAll(/\bevenkeel_/g)].length);
    }
    expect(strange).toEqual([]);
  });

  it('are all shown by the dashboard, but for those that say the same as another', () => {
    const said = new Set([
      // In packets.
      'evenkeel_decision_bytes_total',
      'evenkeel_dropped_bytes_total',
      'evenkeel_hint_bytes_total',
      'evenkeel_limited_bytes_total',
    ]);
    const seen = new Set(shown.map((name) => name.replace(/_(bucket|sum|count)$/, '')));
    const own = measure([1, 2])
      .metrics.names()
      .filter((name) => name.startsWith('evenkeel_'));
    expect(own.filter((name) => !seen.has(name) && !said.has(name))).toEqual([]);
    expect([...said].filter((name) => !own.includes(name))).toEqual([]);
  });

  it('stand on the dashboard in panels that do not cover each other', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  it.skipIf(!hasPromtool)('are asked for in ways that promtool understands (needs it)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-rules-'));
    const rules = dashboard.panels.flatMap(({ targets }) =>
      targets.map(({ expr }, i) => ({
        record: `shown:${i}`.replaceAll(/\W/g, ':'),
        expr: expr.replaceAll('$__rate_interval', '1m'),
      })),
    );
    const file = join(folder, 'rules.json');
    // Of a rule file JSON is as good as YAML.
    writeFileSync(
      file,
      JSON.stringify({ groups: rules.map((rule, i) => ({ name: `g${i}`, rules: [rule] })) }),
    );
    const { status: code, stderr } = spawnSync('promtool', ['check', 'rules', '--lint=none', file], {
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
