// SPDX-License-Identifier: Apache-2.0
/** A few numbers of every second, for curves; and what happened meanwhile, for the event log. */
import type { Sample } from './adapters/http/admin.ts';
import type { CommitRecord, Status } from './core/status.ts';
import { happenings } from './happenings.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { SwitchStatus } from './ports/switch.ts';

export const sampleIntervalMs = 1_000;
/** A quarter of an hour. The oldest is forgotten when one more comes. */
export const samplesMax = 900;

export interface HistoryWorld {
  clock: Clock;
  log: Log;
  engine: () => Status;
  target: () => SwitchStatus;
  /** Is told every commit, once, within a second. */
  onCommit?: (commit: CommitRecord) => void;
}

export class History {
  private readonly world: HistoryWorld;
  private readonly kept: Sample[] = [];
  private before: Status | undefined;
  private cancel = () => {};

  constructor(world: HistoryWorld) {
    this.world = world;
  }

  start(): void {
    this.sample();
    this.cancel = this.world.clock.after(sampleIntervalMs, () => this.start());
  }

  close(): void {
    this.cancel();
  }

  /** Oldest first. */
  samples(): readonly Sample[] {
    return this.kept;
  }

  private sample(): void {
    const { clock, log, engine, target, onCommit } = this.world;
    const status = engine();
    const { pools, pins, totals, commits } = status;
    this.kept.push({
      at: clock.date().toISOString(),
      unstableSlots: pools.reduce((sum, { unstableSlots }) => sum + unstableSlots, 0),
      pinsInstalled: pins.installed,
      pinsOutstanding: pins.outstanding,
      notices: target().notices.received,
      commits: totals.commits,
      mergedSlots: totals.mergedSlots,
      lastCommitMs: commits.at(-1)?.durationMs,
    });
    if (this.kept.length > samplesMax) this.kept.shift();
    for (const commit of newCommits(this.before, status)) onCommit?.(commit);
    if (this.before !== undefined)
      for (const { topic, message, fields } of happenings(this.before, status))
        log('info', message, fields, topic);
    this.before = status;
  }
}

/** An engine that has just begun counts from 0. */
function newCommits(before: Status | undefined, { totals, commits }: Status): CommitRecord[] {
  const known = before === undefined || before.totals.commits > totals.commits ? 0 : before.totals.commits;
  const fresh = totals.commits - known;
  return fresh === 0 ? [] : commits.slice(-fresh);
}
