// SPDX-License-Identifier: Apache-2.0
/** `evenkeel plan`, `apply` and `diff`: a whole configuration, before and while it comes into force. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ControllerStatus, PlanResult } from '../controller/adapters/http/admin.ts';
import { compareConfigs, formatChange } from '../controller/config/compare.ts';
import { parseConfig } from '../controller/config/parse.ts';
import { formatProblem } from '../controller/config/problem.ts';
import { AdminClient } from './admin-client.ts';
import { type ClientOptions, json, withClient } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { type PlanShown, planText } from './plan-text.ts';
import { formatCount, formatSpan } from './table.ts';
import { pause, type Terminal } from './terminal.ts';

interface PlanOptions extends ClientOptions {
  from?: string;
  flows?: number;
  exitCode?: true;
}

interface ApplyOptions extends ClientOptions {
  plan?: string;
  previous?: string;
  wait: 'none' | 'committed' | 'merged';
  flows?: number;
}

const exitOption = ['--exit-code', 'end with 5 if there is anything to do, with 0 if there is not'] as const;
const flowsOption = [
  '--flows <n>',
  'live flows of each vip, to tell shares of them as numbers',
  positive,
] as const;

/** Between two looks at how far a change is. */
const lookMs = 250;

export function addPlans(program: Command, terminal: Terminal): void {
  withClient(program.command('plan'), terminal)
    .summary('say what another configuration would change')
    .description(
      'Says what another configuration would change, without touching anything: backends, slots, live flows, writes and time.\n' +
        'The controller rehearses the change with its own state; with --from there need be no controller.',
    )
    .argument('<file>', 'the configuration that is wanted')
    .option('--from <file>', 'as if this were in force on a new switch: asks no controller')
    .option(...flowsOption)
    .option(...exitOption)
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel plan new.yaml\n  $ evenkeel plan new.yaml --from evenkeel.yaml\n' +
        '  $ evenkeel plan new.yaml -o json > plan.json && evenkeel apply new.yaml --plan plan.json',
    )
    .action(async (file: string, options: PlanOptions) => {
      const text = readText(file);
      const plan =
        options.from === undefined
          ? await new AdminClient(options, terminal.env).plan(text)
          : await offline(readText(options.from), options.from, text, file);
      terminal.out(options.output === 'json' ? json(plan) : planText(plan, options.flows));
      const isEmpty = plan.changes.length === 0 && (plan.plan?.isEmpty ?? true);
      if (options.exitCode && !isEmpty) throw new CommandError(exitCodes.differs, '');
    });

  withClient(program.command('diff'), terminal)
    .summary('say in what another configuration differs from the one in force')
    .description(
      'Says in what another configuration differs from the one that the controller runs, whether that is a file or in etcd.',
    )
    .argument('<file>', 'the other configuration')
    .option(...exitOption)
    .addHelpText('after', '\nExamples:\n  $ evenkeel diff new.yaml\n  $ evenkeel diff new.yaml --exit-code')
    .action(async (file: string, options: PlanOptions) => {
      const { changes } = await new AdminClient(options, terminal.env).plan(readText(file));
      terminal.out(
        options.output === 'json'
          ? json(changes)
          : changes.map((change) => `${formatChange(change)}\n`).join(''),
      );
      if (options.exitCode && changes.length > 0) throw new CommandError(exitCodes.differs, '');
    });

  withClient(program.command('apply'), terminal)
    .summary('put another configuration into force')
    .description(
      'Puts another configuration in the place of the one that the controller runs, and shows how far it is.\n' +
        'It may be interrupted: the change goes on, and the same command shows where it is.',
    )
    .argument('<file>', 'the configuration that is wanted')
    .option('--plan <file>', 'of plan -o json: refused if the configuration has changed since')
    .option('--previous <file>', 'where to keep the configuration that is replaced: the way back')
    .addOption(
      new Option('--wait <for>', 'what to wait for')
        .choices(['none', 'committed', 'merged'])
        .default('committed'),
    )
    .option(...flowsOption)
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel apply new.yaml\n  $ evenkeel apply new.yaml --previous old.yaml && evenkeel apply old.yaml   # and back\n' +
        '  $ evenkeel apply new.yaml --wait merged',
    )
    .action((file: string, options: ApplyOptions) => apply(file, options, terminal));
}

async function offline(before: string, beforeName: string, after: string, name: string): Promise<PlanShown> {
  // Only here: whoever asks a controller need not load an engine.
  const { planBetween } = await import('../controller/core/plan.ts');
  const { engineOptionsOf } = await import('../controller/engine-options.ts');
  const from = parsed(before, beforeName);
  const to = parsed(after, name);
  const speed = { updatesPerSecond: 5_000, isMeasured: false };
  const plan = planBetween(from.desired, to.desired, engineOptionsOf(to), speed);
  return { changes: compareConfigs(before, after), needsRestart: [], plan };
}

async function apply(file: string, options: ApplyOptions, terminal: Terminal): Promise<void> {
  const client = new AdminClient(options, terminal.env);
  const text = readText(file);
  const isForPeople = options.output === 'table';
  const plan = options.plan === undefined ? await client.plan(text) : savedPlan(options.plan);
  if (isForPeople) terminal.out(planText(plan, options.flows));
  const { previous, ...applied } = await client.apply(text, plan.basis);
  if (options.previous !== undefined && applied.isChanged)
    writeFileSync(options.previous, previous, { mode: 0o600 });
  if (isForPeople) {
    for (const warning of applied.warnings) terminal.err(`${formatProblem(warning, 'line')}\n`);
    terminal.out(applied.isChanged ? '\nin force\n' : '\nin force already\n');
  }
  const say = (line: string): void => {
    if (isForPeople) terminal.out(`${line}\n`);
  };
  const isDone = options.wait === 'none' || (await follow(client, options.wait, say, terminal.stop));
  if (!isForPeople) terminal.out(json({ ...applied, plan: plan.plan, isDone }));
  if (!isDone) throw interrupted(file, options.previous);
}

function interrupted(file: string, previous: string | undefined): CommandError {
  const back =
    previous === undefined
      ? 'To go back: evenkeel apply with the configuration of before; --previous keeps it.'
      : `To go back: evenkeel apply ${previous}`;
  return new CommandError(
    exitCodes.failed,
    `interrupted: the change goes on without this command\nTo see where it is: evenkeel apply ${file}\n${back}`,
  );
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

function parsed(text: string, name: string) {
  const result = parseConfig(text);
  if ('config' in result) return result.config;
  throw new CommandError(
    exitCodes.badConfig,
    result.problems.map((problem) => formatProblem(problem, name)).join('\n'),
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(exitCodes.failed, `${path} cannot be read: ${(error as Error).message}`);
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 1e12)) throw new InvalidArgumentError('Expected a number of flows above 0.');
  return value;
}
