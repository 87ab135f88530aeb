// SPDX-License-Identifier: Apache-2.0
/** What comes of `evenkeel plan`, `diff` and `apply`: a whole configuration, before and while it comes into force. */
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ControllerStatus, PlanResult } from '../controller/adapters/http/admin.ts';
import { compareConfigs, formatChange } from '../controller/config/compare.ts';
import { formatProblem } from '../controller/config/problem.ts';
import { AdminClient } from './admin-client.ts';
import { configOf, readText } from './check.ts';
import { type ClientOptions, json } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { type PlanShown, planText } from './plan-text.ts';
import { formatCount, formatSpan } from './table.ts';
import { pause, type Terminal } from './terminal.ts';

export interface DiffOptions extends ClientOptions {
  exitCode?: true;
}

export interface PlanOptions extends DiffOptions {
  from?: string;
  flows?: number;
}

export interface ApplyOptions extends ClientOptions {
  plan?: string;
  previous?: string;
  wait: 'none' | 'committed' | 'merged';
  flows?: number;
}

/** Between two looks at how far a change is. */
const lookMs = 250;

export async function plan(file: string, options: PlanOptions, terminal: Terminal): Promise<void> {
  const shown =
    options.from === undefined
      ? await new AdminClient(options, terminal.env).plan(readText(file))
      : await offline(options.from, file);
  terminal.out(options.output === 'json' ? json(shown) : planText(shown, options.flows));
  const isEmpty = shown.changes.length === 0 && (shown.plan?.isEmpty ?? true);
  if (options.exitCode && !isEmpty) throw new CommandError(exitCodes.differs, '');
}

export async function diff(file: string, options: DiffOptions, terminal: Terminal): Promise<void> {
  const { changes } = await new AdminClient(options, terminal.env).compare(readText(file));
  terminal.out(
    options.output === 'json' ? json(changes) : changes.map((change) => `${formatChange(change)}\n`).join(''),
  );
  if (options.exitCode && changes.length > 0) throw new CommandError(exitCodes.differs, '');
}

export async function apply(file: string, options: ApplyOptions, terminal: Terminal): Promise<void> {
  const client = new AdminClient(options, terminal.env);
  const text = readText(file);
  const isForPeople = options.output === 'table';
  if (options.previous !== undefined) requireWritable(options.previous);
  const plan = options.plan === undefined ? await client.plan(text) : savedPlan(options.plan);
  if (isForPeople) terminal.out(planText(plan, options.flows));
  const { previous, ...applied } = await client.apply(text, plan.basis);
  if (options.previous !== undefined && applied.isChanged) keep(previous, options.previous);
  if (isForPeople) {
    for (const warning of applied.warnings) terminal.err(`${formatProblem(warning, 'line')}\n`);
    terminal.out(applied.isChanged ? '\nin force\n' : '\nin force already\n');
  }
  const say = (line: string): void => {
    if (isForPeople) terminal.out(`${line}\n`);
  };
  const isDone =
    options.wait === 'none' ||
    (await follow(client, options.wait, say, terminal.stop).catch((error: unknown) => {
      throw error instanceof CommandError ? outOfSight(error, file, options.previous) : error;
    }));
  if (!isForPeople) terminal.out(json({ ...applied, plan: plan.plan, isDone }));
  if (!isDone) throw interrupted(file, options.previous);
}

function interrupted(file: string, previous: string | undefined): CommandError {
  return new CommandError(
    exitCodes.interrupted,
    `interrupted: the change goes on without this command\n${whatNext(file, previous)}`,
  );
}

/** The controller that was looked at is gone; what it was told is not. */
function outOfSight(
  { exitCode, message }: CommandError,
  file: string,
  previous: string | undefined,
): CommandError {
  return new CommandError(
    exitCode,
    `${message}\nthe configuration is in force: another controller, or this one when it is back, goes on with the change\n${whatNext(file, previous)}`,
  );
}

function whatNext(file: string, previous: string | undefined): string {
  const back =
    previous === undefined
      ? 'To go back: evenkeel apply with the configuration of before; --previous keeps it.'
      : `To go back: evenkeel apply ${previous}`;
  return `To see where it is: evenkeel apply ${file}\n${back}`;
}

/** @returns whether it was so before the command was to end */
async function follow(
  client: AdminClient,
  until: 'committed' | 'merged',
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<boolean> {
  let told = '';
  for (; !stop.aborted; await pause(lookMs, stop)) {
    const status = await client.status();
    if (status.leadership.role === 'standby') {
      say('another controller leads: it carries out the change');
      return true;
    }
    const { line, isCommitted, isMerged } = progressOf(status);
    if (line !== told) say(line);
    told = line;
    if (until === 'merged' ? isMerged : isCommitted) return true;
  }
  return false;
}

function progressOf(status: ControllerStatus) {
  const { engine, queue } = status;
  const { change, pools, writes } = engine;
  const isIdle = change.phase === 'idle' && change.waitingFor === undefined && queue.waiting === 0;
  const isSettled = pools.every(({ phase }) => phase === 'serving') && writes.unsettledRows === 0;
  const isCommitted = engine.state === 'running' && isIdle && isSettled;
  const unstable = pools.reduce((sum, pool) => sum + pool.unstableSlots, 0);
  const line = isCommitted ? restLine(engine, unstable) : changeLine(status);
  return { line, isCommitted, isMerged: isCommitted && unstable === 0 };
}

function changeLine({ engine: { state, change, pools }, switch: target }: ControllerStatus): string {
  const inPhase = (wanted: string): string =>
    pools
      .filter(({ phase }) => phase === wanted)
      .map(({ name }) => name)
      .join(', ');
  if (state !== 'running') return `waits for the switch (${target.connection})`;
  if (change.waitingFor !== undefined) return `waits for ${change.waitingFor}`;
  if (change.phase !== 'idle') return `${phaseWords[change.phase]}: ${formatCount(change.rows)} rows`;
  if (inPhase('filling') !== '') return `fills ${inPhase('filling')}`;
  if (inPhase('leaving') !== '') return `empties ${inPhase('leaving')}`;
  return 'writes rows';
}

/** Without what changes all the time: a line is told again when it is another. */
function restLine({ commits }: ControllerStatus['engine'], unstable: number): string {
  if (unstable === 0) return 'stable: no slot is unstable';
  const last = commits.at(-1);
  const moved =
    last === undefined
      ? ''
      : `, ${formatCount(last.movedSlots)} slots moved in ${formatSpan(last.durationMs)}`;
  return `committed${moved}; ${formatCount(unstable)} slots are unstable`;
}

const phaseWords = {
  columns: 'prepares columns',
  slots: 'makes slots unstable',
  settling: 'settles',
  rebasing: 'takes seats',
  committing: 'commits',
} as const;

function savedPlan(path: string): PlanResult {
  try {
    const plan = JSON.parse(readText(path)) as PlanResult;
    if (typeof plan.basis === 'string') return plan;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new CommandError(exitCodes.usage, `${path} is no plan; expected what evenkeel plan -o json has said`);
}

/** Before anything is changed: without the way back it shall not be. */
function requireWritable(path: string): void {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw new CommandError(exitCodes.failed, `${path} cannot be written: ${(error as Error).message}`);
  }
}

function keep(previous: string, path: string): void {
  try {
    writeFileSync(path, previous, { mode: 0o600 });
  } catch (error) {
    throw new CommandError(
      exitCodes.failed,
      `the configuration is in force, but ${path} cannot be written: ${(error as Error).message}`,
    );
  }
}

async function offline(before: string, after: string): Promise<PlanShown> {
  // Only here: whoever asks a controller need not load an engine.
  const { planBetween } = await import('../controller/core/plan.ts');
  const { engineOptionsOf } = await import('../controller/engine-options.ts');
  // Read once: it may be a pipe.
  const [fromText, toText] = [readText(before), readText(after)];
  const from = configOf(fromText, before);
  const to = configOf(toText, after);
  const speed = { updatesPerSecond: 5_000, isMeasured: false };
  const plan = planBetween(from.desired, to.desired, engineOptionsOf(to), speed);
  return { changes: compareConfigs(fromText, toText), needsRestart: [], plan };
}
