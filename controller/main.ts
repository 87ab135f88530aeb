// SPDX-License-Identifier: Apache-2.0
/**
 * The controller, wired to the world.
 *
 *   configuration file <──> ConfigKeeper ──desired──> Engine <──> SwitchGroup (P4Runtime)
 *                                ^                      ^
 *                                └───── admin API ──────┘
 */
import { type Logger, pino } from 'pino';
import { systemClock } from './adapters/clock/system-clock.ts';
import { configFile } from './adapters/file/config-file.ts';
import type { Admin, ControllerStatus } from './adapters/http/admin.ts';
import { startAdminServer } from './adapters/http/admin-server.ts';
import type { Config, SwitchTarget } from './config/config.ts';
import { parseConfig } from './config/parse.ts';
import { formatProblem, type Problem } from './config/problem.ts';
import { formatHostPort, type HostPort } from './config/scalar.ts';
import { ConfigKeeper } from './config-keeper.ts';
import { type EngineOptions, engineDefaults } from './core/options.ts';
import { Engine } from './engine.ts';
import { EventLog } from './event-log.ts';
import { groupOf, openSwitches } from './open-switches.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { SwitchPort } from './ports/switch.ts';

export interface ControllerOptions {
  configPath: string;
  /** One switch, instead of those that the file names. */
  switchAddress?: HostPort | undefined;
  /** Instead of what the file says; port 0 chooses a free one. */
  listen?: HostPort | undefined;
  /** Instead of what the file says, and of the defaults. */
  engine?: Partial<EngineOptions> | undefined;
  /** Instead of a switch at the address. */
  switchPort?: SwitchPort | undefined;
  clock?: Clock | undefined;
  logger?: Logger | undefined;
}

export interface RunningController extends Admin {
  /** Where the admin API is: http://127.0.0.1:9580 */
  readonly adminUrl: string;
  /** The switch forwards as it last did. */
  close(): Promise<void>;
}

/** The configuration file has problems. */
export class BadConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map((problem) => formatProblem(problem, file)).join('\n'));
    this.name = 'BadConfigError';
    this.problems = problems;
  }
}

/**
 * @throws BadConfigError; Error when the file cannot be read or the admin API cannot listen. A switch that does not
 *   answer is not an error: it is tried again until it does.
 */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { clock = systemClock, logger = pino({ level: 'silent' }) } = options;
  const store = configFile(options.configPath);
  const text = await store.read();
  const parsed = parseConfig(text);
  if ('problems' in parsed) throw new BadConfigError(store.name, parsed.problems);
  const { config, warnings } = parsed;

  const events = new EventLog();
  const log: Log = (level, message, fields = {}) => {
    logger[level](fields, message);
    // Debugging would crowd out what an operator asks for.
    if (level !== 'debug') events.add({ at: clock.date().toISOString(), level, message, fields });
  };
  const switchPort = openSwitch(config, options, clock, log);
  const engine = new Engine(engineOptions(config), { clock, switchPort, log });
  const keeper = new ConfigKeeper(text, config, warnings, {
    store,
    log,
    onConfig: (changed) => engine.want(changed.desired, engineOptions(changed)),
  });
  const startedAt = clock.now();
  const admin: Admin = {
    status: (): ControllerStatus => ({
      date: clock.date().toISOString(),
      uptimeMs: Math.round(clock.now() - startedAt),
      config: keeper.status(),
      switch: switchPort.status(),
      queue: { waiting: engine.waitingEvents, dropped: engine.droppedEvents },
      engine: engine.status(),
    }),
    explain: (flow) => engine.explain(flow),
    events: (after) => events.after(after),
    edit: (edit) => keeper.edit(edit),
    reload: () => keeper.reload(),
  };

  const server = await startAdminServer(admin, options.listen ?? config.controller.listen);
  for (const warning of warnings) log('warn', formatProblem(warning, store.name));
  keeper.start();
  engine.want(config.desired, engineOptions(config));
  engine.start();
  log('info', 'the controller runs', {
    config: store.name,
    admin: server.url,
    switch: switchPort.status().target,
  });

  return {
    ...admin,
    adminUrl: server.url,
    async close() {
      await server.close();
      await keeper.close();
      await engine.close();
    },
  };

  function engineOptions(from: Config): EngineOptions {
    const { listen: _, ...settings } = from.controller;
    return { ...engineDefaults, ...settings, ...options.engine };
  }
}

function openSwitch(config: Config, options: ControllerOptions, clock: Clock, log: Log): SwitchPort {
  if (options.switchPort) return groupOf(options.switchPort, { clock, log });
  // Who was started last is meant to be in charge; P4Runtime keeps the other one from writing.
  const electionId = BigInt(clock.date().getTime());
  return openSwitches(targetsOf(config, options), { electionId, clock, log });
}

function targetsOf(config: Config, { switchAddress: address }: ControllerOptions): readonly SwitchTarget[] {
  if (address === undefined) return config.switches;
  return [{ name: formatHostPort(address), address, deviceId: config.switch.deviceId }];
}
