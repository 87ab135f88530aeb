// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps what is wanted and the configuration file the same: reads it when it changes, changes it by command. A file
 * with problems changes nothing; they are told, and what was wanted before stays wanted.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { AppliedResult, ChangeResult, ConfigStatus, Failure } from './adapters/http/admin.ts';
import { type ConfigChange, compareConfigs } from './config/compare.ts';
import type { Config } from './config/config.ts';
import { type Edit, editConfig } from './config/edit.ts';
import { parseConfig } from './config/parse.ts';
import { formatProblem, type Problem } from './config/problem.ts';
import type { Clock } from './ports/clock.ts';
import type { ConfigStore } from './ports/config-store.ts';
import type { Log } from './ports/log.ts';

/** Commands and reloads that may wait for the one under way. */
export const waitingChangesMax = 64;

export interface ConfigKeeperWorld {
  store: ConfigStore;
  log: Log;
  clock: Pick<Clock, 'date'>;
  /** Is told every configuration that comes into force. */
  onConfig: (config: Config) => void;
}

/** A text that is not in force. */
export interface ConfigInQuestion {
  config: Config;
  warnings: Problem[];
  needsRestart: string[];
  /** To what is in force. */
  changes: ConfigChange[];
  /** Tells the text of now from every other. */
  basis: string;
}

type Failed = { failure: Failure };

export class ConfigKeeper {
  private readonly world: ConfigKeeperWorld;
  /** What the settings that cannot change while we run were at the start. */
  private readonly initial: Config;
  private text: string;
  private warnings: Problem[];
  private problems: Problem[] = [];
  private needsRestart: string[] = [];
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private unwatch = () => {};

  /** @param text  of which `config` was made */
  constructor(text: string, config: Config, warnings: Problem[], world: ConfigKeeperWorld) {
    this.text = text;
    this.initial = config;
    this.warnings = warnings;
    this.world = world;
  }

  /** Follows the file until `close`. */
  start(): void {
    const { store, log } = this.world;
    try {
      this.unwatch = store.watch(() => void this.reload());
    } catch (error) {
      // Too many watches on this machine, or a file system that has none.
      const reason = error instanceof Error ? error.message : String(error);
      log('warn', 'the file is not watched; SIGHUP or `evenkeel reload` reads it again', {
        file: store.name,
        reason,
      });
    }
  }

  status(): ConfigStatus {
    const { problems, warnings, needsRestart } = this;
    return { file: this.world.store.name, problems, warnings, needsRestart };
  }

  reload(): Promise<ChangeResult> {
    return this.inTurn(async () => {
      const text = await this.world.store.read();
      if (text === this.text && this.problems.length === 0) return this.done(false);
      const parsed = parseConfig(text);
      if ('problems' in parsed) {
        this.refuse(parsed.problems);
        const wrong = `${this.world.store.name} has problems; what was wanted before stays in force`;
        return failed('invalid', wrong, 'a file without problems', parsed.problems);
      }
      const isChanged = text !== this.text;
      this.accept(text, parsed.config, parsed.warnings);
      if (isChanged)
        this.world.log('info', 'the configuration was read again', { file: this.world.store.name });
      return this.done(isChanged);
    });
  }

  edit(edit: Edit): Promise<ChangeResult> {
    return this.inTurn(async () => {
      const { store, log, clock } = this.world;
      const before = await store.read();
      const edited = editConfig(before, edit, clock.date());
      if ('refusal' in edited) return { failure: edited.refusal };
      if (edited.isChanged) await store.replace(before, edited.text);
      if (edited.text !== this.text) this.accept(edited.text, edited.config, edited.warnings);
      if (edited.isChanged) {
        log('info', `${commandOf(edit)}, by command`, fieldsOf(edit));
      }
      return this.done(edited.isChanged);
    });
  }

  /** What another text would be, without touching anything. */
  async look(text: string): Promise<ConfigInQuestion | Failed> {
    const parsed = parseConfig(text);
    if ('problems' in parsed)
      return failed('invalid', 'it has problems', 'a configuration without problems', parsed.problems);
    const { config, warnings } = parsed;
    const needsRestart = restartsFor(this.initial, config);
    try {
      const basis = basisOf(await this.world.store.read());
      return { config, warnings, needsRestart, changes: compareConfigs(this.text, text), basis };
    } catch (error) {
      return { failure: storeFailure(error) };
    }
  }

  /**
   * Puts another text in the place of the file's.
   *
   * @param basis  of the text that it is to replace, as `look` has told; undefined: of any
   */
  apply(text: string, basis: string | undefined): Promise<AppliedResult | Failed> {
    return this.inTurn(async () => {
      const { store, log } = this.world;
      const parsed = parseConfig(text);
      if ('problems' in parsed)
        return failed('invalid', 'it has problems', 'a configuration without problems', parsed.problems);
      const previous = await store.read();
      if (basis !== undefined && basis !== basisOf(previous))
        return failed('changed', `${store.name} has changed since the plan was made`, 'a new plan');
      const isChanged = text !== previous;
      if (isChanged) await store.replace(previous, text);
      if (text !== this.text) this.accept(text, parsed.config, parsed.warnings);
      if (isChanged) log('info', 'apply, by command', { file: store.name });
      return { ...this.done(isChanged), previous };
    });
  }

  async close(): Promise<void> {
    this.unwatch();
    await this.last;
  }

  private accept(text: string, config: Config, warnings: Problem[]): void {
    this.text = text;
    this.warnings = warnings;
    this.problems = [];
    this.needsRestart = restartsFor(this.initial, config);
    this.tell('warn', warnings);
    for (const setting of this.needsRestart)
      this.world.log('warn', 'a changed setting takes effect when the controller is started anew', {
        setting,
      });
    this.world.onConfig(config);
  }

  private refuse(problems: Problem[]): void {
    this.problems = problems;
    this.tell('error', problems);
  }

  private tell(level: 'warn' | 'error', problems: readonly Problem[]): void {
    for (const problem of problems) this.world.log(level, formatProblem(problem, this.world.store.name));
  }

  private done(isChanged: boolean): Exclude<ChangeResult, { failure: Failure }> {
    return { isChanged, warnings: this.warnings, needsRestart: this.needsRestart };
  }

  /** One after the other: each change starts from what the one before it has written. */
  private inTurn<R>(change: () => Promise<R | Failed>): Promise<R | Failed> {
    if (this.waiting >= waitingChangesMax)
      return Promise.resolve(failed('busy', `${this.waiting} changes wait already`, 'a little patience'));
    this.waiting++;
    const result = this.last.then(change).catch((error: unknown): Failed => {
      const failure = storeFailure(error);
      this.world.log('error', failure.wrong, { file: this.world.store.name });
      return { failure };
    });
    this.last = result.finally(() => this.waiting--);
    return result;
  }
}

const basisOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The settings that are read once. */
function restartsFor(before: Config, after: Config): string[] {
  const settings: Readonly<Record<string, (config: Config) => unknown>> = {
    'switch.address': (config) => config.switch.address,
    'switch.device_id': (config) => config.switch.deviceId,
    'switch.interfaces': (config) => config.switch.interfaces,
    // The one that `switch` names is told above.
    switches: ({ switch: one, switches }) =>
      switches.map((target) => (target.address === one.address ? undefined : target)),
    'controller.listen': (config) => config.controller.listen,
    'controller.token_file': (config) => config.controller.tokenFile,
    'controller.tls': (config) => config.controller.tls,
    'controller.store': (config) => config.controller.store,
    'controller.audit': (config) => config.controller.auditMs,
    'controller.election_id': (config) => config.controller.electionId,
    announce: (config) => config.announce?.speaker,
  };
  return Object.entries(settings)
    .filter(([, of]) => !isDeepStrictEqual(of(before), of(after)))
    .map(([name]) => name);
}

/** The store's errors say by a code what is the matter; anything else is a mistake of ours. */
function storeFailure(error: unknown): Failure {
  const code = (error as { code?: unknown }).code;
  if (!(error instanceof Error) || (code !== 'changed' && code !== 'unreadable' && code !== 'unwritable'))
    throw error;
  return {
    code,
    wrong: error.message,
    right: 'a place that the controller may read and write',
    problems: [],
  };
}

function failed(code: Failure['code'], wrong: string, right: string, problems: Problem[] = []): Failed {
  return { failure: { code, wrong, right, problems } };
}

const stateCommands = { active: 'restore', draining: 'drain', disabled: 'disable', down: 'fail' } as const;

/** As the command line calls it. */
const commandOf = (edit: Edit): string => (edit.kind === 'state' ? stateCommands[edit.state] : edit.kind);

function fieldsOf({ kind: _kind, ...fields }: Edit): Record<string, string | number> {
  const { state: _, ...said } = { state: undefined, ...fields };
  return Object.fromEntries(
    Object.entries(said).filter((field): field is [string, string | number] => field[1] !== undefined),
  );
}
