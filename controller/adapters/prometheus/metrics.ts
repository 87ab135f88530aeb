// SPDX-License-Identifier: Apache-2.0
/**
 * The controller's numbers as Prometheus likes them: base units, totals that end in _total, states as 0 or 1 by label. Labels
 * are names of the configuration (pool, backend, switch) and of closed sets; nothing of a client ever becomes one.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PoolHealthStatus } from '../../core/health-status.ts';
import type { LoadStatus } from '../../core/load-status.ts';
import type { BackendStatus, CommitRecord, PoolStatus, Status } from '../../core/status.ts';
import type { Count, SwitchStatus } from '../../ports/switch.ts';

/** What is measured: asked for at every scrape. */
export interface Measured {
  leadership: { role: string };
  config: { problems: readonly unknown[]; needsRestart: readonly unknown[] };
  switch: SwitchStatus;
  queue: { waiting: number; dropped: number };
  engine: Status;
  /** Where a speaker tells routers of the vips. */
  announcer?: { announced: readonly string[] | undefined; problem: string | undefined } | undefined;
  /** Of the pools whose backends are checked. */
  health?: readonly PoolHealthStatus[];
  /** Of the pools whose weights follow load. */
  load?: readonly LoadStatus[];
}

export interface Metrics {
  /** The text format. */
  text(): Promise<string>;
  type: string;
  observeCommit(commit: CommitRecord): void;
  /** Of every metric, for those who refer to them. */
  names(): string[];
  /** Those that are ours, for people. */
  described(): MetricDescription[];
}

export interface MetricDescription {
  name: string;
  type: string;
  help: string;
  labels: readonly string[];
}

const commitSeconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const backendStates = ['active', 'draining', 'disabled', 'down', 'leaving'] as const;
const filterStates = ['active', 'quarantine', 'free'] as const;
const verdicts = ['trusted', 'avoided', 'dead'] as const;
const roles = ['starting', 'leader', 'standby'] as const;

/** @param measured  costs a look at every slot; once for each scrape */
export function createMetrics(measured: () => Measured): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  /** What a scrape adds to the metrics: nothing of the scrape before is left, so what has gone is gone. */
  const fillers: ((now: Measured) => void)[] = [];
  const descriptions: MetricDescription[] = [];

  gauge('evenkeel_role', 'Whether the controller has this role.', ['role'], ({ leadership }, set) => {
    for (const role of roles) set(Number(leadership.role === role), role);
  });
  gauge(
    'evenkeel_engine_running',
    'Whether the state of the switch is known and changed.',
    [],
    ({ engine }, set) => set(Number(engine.state === 'running')),
  );
  gauge('evenkeel_config_problems', 'Problems of the configuration file.', [], ({ config }, set) =>
    set(config.problems.length),
  );
  gauge(
    'evenkeel_config_restart_needed',
    'Whether a changed setting waits for a restart.',
    [],
    ({ config }, set) => set(Number(config.needsRestart.length > 0)),
  );

  ofPools('evenkeel_pool_slots', 'Slots of the pool.', ({ slotCount }) => slotCount);
  ofPools(
    'evenkeel_pool_unstable_slots',
    'Slots whose flows may be of two backends.',
    ({ unstableSlots }) => unstableSlots,
  );
  ofPools(
    'evenkeel_pool_dead',
    'Whether the pool serves and no backend that lives has a slot.',
    ({ isDead }) => Number(isDead),
  );
  ofPools('evenkeel_pool_pins', 'Pinned flows of the pool.', ({ pins }) => pins);
  ofBackends(
    'evenkeel_backend_share_ratio',
    'Share of the new flows that the backend gets.',
    ({ share }) => share,
  );
  ofBackends(
    'evenkeel_backend_wanted_share_ratio',
    'Share of the new flows that the backend gets once what is wanted is in force.',
    ({ wantedSlots }, { slotCount }) => (slotCount === 0 ? 0 : wantedSlots / slotCount),
  );
  ofBackends('evenkeel_backend_weight', 'Weight of the backend, as wanted.', ({ weight }) => weight);
  ofBackends('evenkeel_backend_pins', 'Pinned flows of the backend.', ({ pins }) => pins);
  gauge(
    'evenkeel_backend_state',
    'Whether the backend is in this state.',
    ['pool', 'backend', 'state'],
    (now, set) => {
      for (const { pool, backend } of backendsOf(now))
        for (const state of backendStates)
          set(Number(backend.state === state), pool.name, backend.name, state);
    },
  );

  gauge(
    'evenkeel_backend_up',
    'Whether its checks find the backend well.',
    ['pool', 'backend'],
    (now, set) => {
      // Who has not been asked yet is neither up nor down.
      for (const { pool, backend } of checksOf(now))
        if (backend.state !== 'unknown') set(Number(backend.state === 'up'), pool, backend.backend);
    },
  );
  gauge(
    'evenkeel_backend_verdict',
    'Whether the checks of the backend have this consequence.',
    ['pool', 'backend', 'verdict'],
    (now, set) => {
      for (const { pool, backend } of checksOf(now))
        for (const verdict of verdicts)
          set(Number(backend.verdict === verdict), pool, backend.backend, verdict);
    },
  );
  gauge(
    'evenkeel_backend_probe_duration_seconds',
    'How long the last probe took, if it passed.',
    ['pool', 'backend'],
    (now, set) => {
      for (const { pool, backend } of checksOf(now))
        if (backend.latencyMs !== undefined) set(backend.latencyMs / 1_000, pool, backend.backend);
    },
  );
  gauge(
    'evenkeel_pool_checks_distrusted',
    'Whether so many backends seem down that none of the checks is believed.',
    ['pool'],
    ({ health = [] }, set) => {
      for (const { pool, isPanicking } of health) set(Number(isPanicking), pool);
    },
  );

  gauge(
    'evenkeel_backend_load',
    'Load of the backend, smoothed, as its source tells it.',
    ['pool', 'backend'],
    ({ load = [] }, set) => {
      for (const { pool, backends } of load)
        for (const { backend, load: of } of backends) if (of !== undefined) set(of, pool, backend);
    },
  );
  counter(
    'evenkeel_load_weight_changes_total',
    'How often load changed weights of the pool.',
    ['pool'],
    ({ load = [] }, add) => {
      for (const { pool, changes } of load) add(changes, pool);
    },
  );

  traffic('evenkeel_pool', 'to the pool', ['pool'], (now, add) => {
    for (const pool of now.engine.pools) add(now.switch.traffic?.pools[pool.id], pool.name);
  });
  traffic('evenkeel_backend', 'to the backend', ['pool', 'backend'], (now, add) => {
    for (const { pool, backend } of backendsOf(now))
      add(now.switch.traffic?.backends[backend.id], pool.name, backend.name);
  });
  traffic('evenkeel_decision', 'that the switch decided about so', ['decision'], (now, add) => {
    for (const [name, count] of Object.entries(now.switch.traffic?.decisions ?? {})) add(count, name);
  });
  traffic('evenkeel_dropped', 'that the switch dropped', ['reason'], (now, add) => {
    for (const [name, count] of Object.entries(now.switch.traffic?.drops ?? {})) add(count, name);
  });

  traffic('evenkeel_hint', 'that may name their backend, by what came of it', ['outcome'], (now, add) => {
    for (const [name, count] of Object.entries(now.switch.traffic?.hints ?? {})) add(count, name);
  });
  traffic(
    'evenkeel_limited',
    'beyond a rate, of which the switch told nobody, or which it did not answer',
    ['rate'],
    (now, add) => {
      for (const [name, count] of Object.entries(now.switch.traffic?.limited ?? {})) add(count, name);
    },
  );

  counter('evenkeel_commits_total', 'Changes committed.', [], ({ engine }, add) =>
    add(engine.totals.commits),
  );
  counter(
    'evenkeel_commit_moved_slots_total',
    'Slots whose new flows a commit gave to another backend.',
    [],
    ({ engine }, add) => add(engine.totals.movedSlots),
  );
  counter('evenkeel_merged_slots_total', 'Slots that became stable again.', [], ({ engine }, add) =>
    add(engine.totals.mergedSlots),
  );
  counter('evenkeel_filter_rotations_total', 'Fresh filter slots without a commit.', [], ({ engine }, add) =>
    add(engine.totals.rotations),
  );
  gauge('evenkeel_change_in_progress', 'Whether a change is being prepared.', [], ({ engine }, set) =>
    set(Number(engine.change.phase !== 'idle')),
  );
  gauge('evenkeel_filter_slots', 'Filter slots by state.', ['state'], ({ engine }, set) => {
    for (const state of filterStates)
      set(engine.version.filters.filter((filter) => filter.state === state).length, state);
  });
  gauge('evenkeel_pins_installed', 'Pins on the switch.', [], ({ engine }, set) =>
    set(engine.pins.installed),
  );
  gauge('evenkeel_pins_outstanding', 'Pins that the switch has not acknowledged.', [], ({ engine }, set) =>
    set(engine.pins.outstanding),
  );
  counter('evenkeel_pins_refused_total', 'Pins refused for want of room.', [], ({ engine }, add) =>
    add(engine.pins.refused),
  );

  counter('evenkeel_notices_total', 'Digests and idle notifications of the switch.', [], (now, add) =>
    add(now.switch.notices.received),
  );
  counter('evenkeel_notices_unreadable_total', 'Those that could not be read.', [], (now, add) =>
    add(now.switch.notices.unreadable),
  );
  counter('evenkeel_notices_dropped_total', 'Those dropped in a storm; they come again.', [], (now, add) =>
    add(now.queue.dropped),
  );
  gauge('evenkeel_events_waiting', 'Events that the engine has not handled yet.', [], ({ queue }, set) =>
    set(queue.waiting),
  );
  gauge('evenkeel_updates_in_flight', 'Updates that the switch has not answered.', [], ({ engine }, set) =>
    set(engine.writes.updatesInFlight),
  );
  gauge('evenkeel_unsettled_rows', 'Rows that are not yet as wanted.', [], ({ engine }, set) =>
    set(engine.writes.unsettledRows),
  );
  counter('evenkeel_write_failures_total', 'Updates that the switch refused.', [], ({ engine }, add) =>
    add(engine.writes.failures),
  );
  counter('evenkeel_updates_sent_total', 'Updates sent to the switch.', ['table'], (now, add) => {
    for (const [table, count] of Object.entries(now.switch.written ?? {})) add(count, table);
  });

  gauge('evenkeel_switch_ready', 'Whether the switches take what they are told.', [], (now, set) =>
    set(Number(now.switch.connection === 'ready')),
  );
  gauge(
    'evenkeel_switch_participating',
    'Whether the switch holds what the group holds, and may carry traffic.',
    ['switch'],
    (now, set) => {
      for (const { name, state } of now.switch.members ?? []) set(Number(state === 'participating'), name);
    },
  );
  gauge(
    'evenkeel_switch_rows_behind',
    'Rows in which the switch differs from the group, or may.',
    ['switch'],
    (now, set) => {
      for (const { name, rowsBehind } of now.switch.members ?? []) set(rowsBehind, name);
    },
  );
  gauge(
    'evenkeel_switch_drift_rows',
    'Rows of the switch that somebody else has written or deleted, as seen last.',
    ['switch', 'kind'],
    (now, set) => {
      for (const { name, drift } of now.switch.members ?? [])
        for (const [kind, rows] of Object.entries(drift?.counts ?? {})) set(rows, name, kind);
    },
  );
  counter(
    'evenkeel_switch_audits_total',
    'How often the switch was read back and compared.',
    ['switch'],
    (now, add) => {
      for (const { name, drift } of now.switch.members ?? []) add(drift?.looks ?? 0, name);
    },
  );
  gauge('evenkeel_neighbours', 'Neighbours whose address is known.', [], ({ engine }, set) =>
    set(engine.neighbours.known),
  );
  gauge('evenkeel_neighbours_missing', 'Neighbours that do not answer ARP or NDP.', [], ({ engine }, set) =>
    set(engine.neighbours.missing.length),
  );

  gauge('evenkeel_announced_vips', 'Addresses that the speaker announces.', [], ({ announcer }, set) => {
    if (announcer?.announced !== undefined) set(announcer.announced.length);
  });
  gauge(
    'evenkeel_announcer_in_order',
    'Whether the speaker says what it should.',
    [],
    ({ announcer }, set) => {
      if (announcer !== undefined) set(Number(announcer.problem === undefined));
    },
  );

  const duration = {
    name: 'evenkeel_commit_duration_seconds',
    help: 'From the first row of a change to its commit.',
  };
  const commitDuration = new Histogram({ ...duration, buckets: commitSeconds, registers: [registry] });
  descriptions.push({ ...duration, type: 'histogram', labels: [] });

  return {
    type: registry.contentType,
    async text() {
      const now = measured();
      for (const fill of fillers) fill(now);
      return registry.metrics();
    },
    observeCommit: ({ durationMs }) => commitDuration.observe(durationMs / 1_000),
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    described: () => descriptions,
  };

  type Tell = (value: number, ...labels: string[]) => void;

  function gauge(
    name: string,
    help: string,
    labelNames: string[],
    fill: (now: Measured, set: Tell) => void,
  ): void {
    const metric = new Gauge({ name, help, labelNames, registers: [registry] });
    descriptions.push({ name, type: 'gauge', help, labels: labelNames });
    fillers.push((now) => {
      metric.reset();
      fill(now, (value, ...labels) => metric.labels(...labels).set(value));
    });
  }

  function ofPools(name: string, help: string, numberOf: (pool: PoolStatus) => number): void {
    gauge(name, help, ['pool'], ({ engine }, set) => {
      for (const pool of engine.pools) set(numberOf(pool), pool.name);
    });
  }

  function ofBackends(
    name: string,
    help: string,
    numberOf: (backend: BackendStatus, pool: PoolStatus) => number,
  ): void {
    gauge(name, help, ['pool', 'backend'], (now, set) => {
      for (const { pool, backend } of backendsOf(now)) set(numberOf(backend, pool), pool.name, backend.name);
    });
  }

  /** Of a total that somebody else counts. */
  function counter(
    name: string,
    help: string,
    labelNames: string[],
    fill: (now: Measured, add: Tell) => void,
  ): void {
    const metric = new Counter({ name, help, labelNames, registers: [registry] });
    descriptions.push({ name, type: 'counter', help, labels: labelNames });
    fillers.push((now) => {
      metric.reset();
      fill(now, (value, ...labels) => metric.labels(...labels).inc(value));
    });
  }

  function traffic(
    prefix: string,
    what: string,
    labelNames: string[],
    fill: (now: Measured, add: (count: Count | undefined, ...labels: string[]) => void) => void,
  ): void {
    for (const unit of ['packets', 'bytes'] as const)
      counter(
        `${prefix}_${unit}_total`,
        `${unit === 'packets' ? 'Packets' : 'Bytes'} ${what}.`,
        labelNames,
        (now, add) =>
          // What has never been read is not 0.
          fill(now, (count, ...labels) => count && add(count[unit], ...labels)),
      );
  }
}

function* backendsOf({ engine }: Measured) {
  for (const pool of engine.pools) for (const backend of pool.backends) yield { pool, backend };
}

function* checksOf({ health = [] }: Measured) {
  for (const { pool, backends } of health) for (const backend of backends) yield { pool, backend };
}
