// SPDX-License-Identifier: Apache-2.0
/** What the admin API offers, and what stands behind it. Everything is plain JSON-able data. */
import type { ConfigChange } from '../../config/compare.ts';
import type { Edit } from '../../config/edit.ts';
import type { Problem } from '../../config/problem.ts';
import type { LogLevel, LogTopic } from '../../core/event.ts';
import type { Explanation, FlowQuestion } from '../../core/explain.ts';
import type { PoolHealthStatus } from '../../core/health-status.ts';
import type { PoolLifecycleStatus } from '../../core/lifecycle-status.ts';
import type { LoadStatus } from '../../core/load-status.ts';
import type { Plan } from '../../core/plan.ts';
import type { SlotMap } from '../../core/slot-map.ts';
import type { Status } from '../../core/status.ts';
import type { WhyBackend } from '../../core/why-backend.ts';
import type { DriftReport, SwitchStatus } from '../../ports/switch.ts';

export interface ControllerStatus {
  /** ISO 8601. */
  date: string;
  uptimeMs: number;
  config: ConfigStatus;
  leadership: LeadershipStatus;
  switch: SwitchStatus;
  queue: { waiting: number; dropped: number };
  engine: Status;
  /** Undefined: nobody has been told to announce the vips. */
  announcer?: AnnouncerStatus | undefined;
  /** Of the vips whose backends are checked. */
  health?: readonly PoolHealthStatus[];
  /** Of the vips whose weights follow load. */
  load?: readonly LoadStatus[];
  /** Of backends that are not simply active: deadlines, parts of weights. */
  lifecycle?: readonly PoolLifecycleStatus[];
}

export interface AnnouncerStatus {
  speaker: string;
  /** As the speaker has confirmed them last; undefined: not yet. */
  announced: string[] | undefined;
  /** Why the speaker does not say what it should. */
  problem: string | undefined;
  /** Nothing is announced, because the configuration says so. */
  isDraining: boolean;
  /** Pools that are not announced, because too few of their backends pass their checks. */
  refused: string[];
}

export interface LeadershipStatus {
  /** starting: nothing is known yet. */
  role: 'starting' | 'leader' | 'standby';
  /** Whether others stand for election. */
  isShared: boolean;
  /** While we lead, the election id by which the switch knows us: decimal digits. */
  term: string | undefined;
  /** On standby: who leads, if that is known; and what is the matter, if anything. */
  leader: { name: string; admin: string } | undefined;
  problem: string | undefined;
  /** Undefined while we do not lead. `problem`: why the book is not kept. */
  book: { store: string; written: number; problem: string | undefined } | undefined;
}

export interface ConfigStatus {
  file: string;
  /** Empty: the file is what is in force. */
  problems: Problem[];
  warnings: Problem[];
  /** Settings that differ from those in force until the controller is started anew. */
  needsRestart: string[];
}

export interface LogLine {
  number: number;
  at: string;
  level: LogLevel;
  topic: LogTopic;
  message: string;
  fields: Readonly<Record<string, string | number | boolean>>;
}

/** Some numbers of a moment; totals count since the controller began. */
export interface Sample {
  /** ISO 8601. */
  at: string;
  unstableSlots: number;
  pinsInstalled: number;
  pinsOutstanding: number;
  /** Totals: digests and idle notifications, commits, slots that became stable again. */
  notices: number;
  commits: number;
  mergedSlots: number;
  /** How long the last commit took; undefined before the first. */
  lastCommitMs: number | undefined;
}

/** no-such-vip ... invalid: as config/edit.ts. unwritable: of the file. busy: too many commands wait. */
export type FailureCode =
  | 'no-such-vip'
  | 'no-such-backend'
  | 'exists'
  | 'invalid'
  | 'changed'
  | 'unreadable'
  | 'unwritable'
  | 'busy';

export interface Failure {
  code: FailureCode;
  wrong: string;
  right: string;
  problems: Problem[];
}

export type ChangeResult =
  | { isChanged: boolean; warnings: Problem[]; needsRestart: string[] }
  | { failure: Failure };

/** As it would be; nothing has been done. */
export interface PlanResult {
  /** Of the configuration to be replaced: who applies the plan says it, and is refused if it has changed since. */
  basis: string;
  changes: ConfigChange[];
  warnings: Problem[];
  needsRestart: string[];
  /** Undefined: it was not wanted, the engine does not know its switch, or another controller leads. */
  plan: Plan | undefined;
}

export interface AppliedResult {
  isChanged: boolean;
  warnings: Problem[];
  needsRestart: string[];
  /** The configuration that was replaced: the way back. */
  previous: string;
}

export type DriftAction = 'look' | 'repair' | 'adopt' | 'release';

export interface Admin {
  status(): ControllerStatus;
  explain(flow: FlowQuestion): Explanation;
  /** Why this backend gets what it gets. */
  why(vip: string, backend: string): WhyBackend;
  /** Undefined when there is no pool of this name. */
  slots(pool: string): SlotMap | undefined;
  /** Of the last quarter of an hour, oldest first. */
  history(): readonly Sample[];
  /** Lines after the one of this number, oldest first. */
  events(after: number): readonly LogLine[];
  /** Calls back whenever there is another line. @returns ends it */
  onEvent(listener: () => void): () => void;
  /** Writes the change into the file, and wants what the file then says. */
  edit(edit: Edit): Promise<ChangeResult>;
  /** Reads the file again. */
  reload(): Promise<ChangeResult>;
  /** What would come of another configuration; if it need not be rehearsed, only in what they differ. */
  plan(text: string, isRehearsed: boolean): Promise<PlanResult | { failure: Failure }>;
  /** Puts another configuration in the place of the one there is, if that is still of this basis. */
  apply(text: string, basis: string | undefined): Promise<AppliedResult | { failure: Failure }>;
  /** Whether switches hold what they were given: as seen last, or after something was done about it, on one or on all. */
  drift(action: DriftAction | undefined, name: string | undefined): Promise<DriftReport[]>;
}
