// SPDX-License-Identifier: Apache-2.0
/**
 * The controller, wired to the world.
 *
 *   configuration (file, etcd) <──> ConfigKeeper ──Steering──> Leadership: Engine <──> SwitchGroup (P4Runtime)
 *                                        ^                        ^   ├──> book (file, etcd)
 *                                        └────── admin API ───────┘   └──> Announcing ──> BIRD, FRR
 */
import { hostname } from 'node:os';
import { type Logger, pino } from 'pino';
import { openAnnouncer } from './adapters/announce/open-announcer.ts';
import { systemClock } from './adapters/clock/system-clock.ts';
import { configFile } from './adapters/file/config-file.ts';
import type { Admin, ControllerStatus } from './adapters/http/admin.ts';
import { startAdminServer } from './adapters/http/admin-server.ts';
import { Probes } from './adapters/probe/probes.ts';
import { createMetrics } from './adapters/prometheus/metrics.ts';
import { openAccess } from './admin-access.ts';
import { Announcing } from './announcing.ts';
import { openBacking } from './backing.ts';
import { AdoptedKeeper } from './book/adopted-keeper.ts';
import type { Config, SwitchTarget } from './config/config.ts';
import { parseConfig } from './config/parse.ts';
import { formatProblem, type Problem } from './config/problem.ts';
import { formatHostPort, type HostPort } from './config/scalar.ts';
import { ConfigKeeper } from './config-keeper.ts';
import type { EngineOptions } from './core/options.ts';
import { engineOptionsOf } from './engine-options.ts';
import { EventLog } from './event-log.ts';
import { History } from './history.ts';
import { Leadership } from './leadership.ts';
import { openLoadSource } from './open-load-source.ts';
import { groupOf, openSwitches, type SwitchesOptions } from './open-switches.ts';
import { Planner } from './planner.ts';
import type { Clock } from './ports/clock.ts';
import { about, type Log } from './ports/log.ts';
import type { Prober } from './ports/prober.ts';
import type { SwitchPort, SwitchStatus } from './ports/switch.ts';
import { Steering } from './steering.ts';
import { loadWebFiles } from './web-files.ts';
import { whyOf } from './why.ts';

export interface ControllerOptions {
  configPath: string;
  /** One switch, instead of those that the file names. */
  switchAddress?: HostPort | undefined;
  /** Instead of what the file says; port 0 chooses a free one. */
  listen?: HostPort | undefined;
  /** Of who may change state, instead of that of the file. */
  token?: string | undefined;
  /** Where a token is left that is made up; undefined: nowhere. */
  tokenFolder?: string | undefined;
  /** Instead of what the file says, and of the defaults. */
  engine?: Partial<EngineOptions> | undefined;
  /** Instead of a switch at the address; a controller that may resign needs one that can be started anew. */
  switchPort?: SwitchPort | undefined;
  clock?: Clock | undefined;
  /** Who asks backends how they are. */
  prober?: Prober | undefined;
  logger?: Logger | undefined;
}

export interface RunningController extends Admin {
  /** Where the admin API is: http://127.0.0.1:9580 */
  readonly adminUrl: string;
  /** Of who may change state. */
  readonly adminToken: string;
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
  const file = configFile(options.configPath);
  const fileText = await file.read();
  const own = parsedOrThrow(fileText, file.name).config.controller;

  const events = new EventLog();
  const log: Log = (level, message, fields = {}, topic = 'controller') => {
    logger[level](fields, message);
    // Debugging would crowd out what an operator asks for.
    if (level !== 'debug') events.add({ at: clock.date().toISOString(), level, topic, message, fields });
  };
  const backing = openBacking(file, fileText, own, clock, about(log, 'leadership'));
  const isShared = own.store.kind === 'etcd';
  const store = backing.config;
  const text = isShared ? await store.read() : fileText;
  const { config, warnings } = parsedOrThrow(text, store.name);

  const keeper = new ConfigKeeper(text, config, warnings, {
    store,
    clock,
    log: about(log, 'config'),
    onConfig: (changed) => {
      steering.follow(changed);
      announcing?.follow(changed.announce ?? { isDraining: false, withdrawBelow: 0 });
    },
  });
  const steering = new Steering(config, {
    clock,
    log: about(log, 'health'),
    prober: options.prober ?? new Probes(),
    dice: Math.random,
    isLeading: () => leadership.status().role === 'leader',
    onShareChange: () => announcing?.look(),
    openSource: (vip, query) =>
      openLoadSource(vip, query, {
        clock,
        backendIds: (name) => leadership.engine.backendIds(name),
        traffic: () => leadership.switchPort.status().traffic,
      }),
    openWeights: backing.openWeights,
    openFilling: backing.openFilling,
  });
  // Another speaker needs another start; whether it shall speak does not.
  const announcing =
    config.announce &&
    new Announcing(config.announce, {
      announcer: openAnnouncer(config.announce.speaker, { clock, log: about(log, 'pool') }),
      log: about(log, 'pool'),
      passingShare: (pool) => steering.passingShare(pool),
    });
  const adoptedRows = new AdoptedKeeper({ clock, log: about(log, 'switch'), openStore: backing.openAdopted });
  const startedAt = clock.now();
  const admin: Admin = {
    status: (): ControllerStatus => ({
      date: clock.date().toISOString(),
      uptimeMs: Math.round(clock.now() - startedAt),
      config: keeper.status(),
      leadership: { ...leadership.status(), isShared },
      switch: switchStatus(),
      queue: { waiting: leadership.engine.waitingEvents, dropped: leadership.engine.droppedEvents },
      engine: leadership.engine.status(),
      announcer: announcing?.status(),
      health: steering.health(),
      load: steering.loads(),
      lifecycle: steering.lifecycles(),
    }),
    explain: (flow) => leadership.engine.explain(flow),
    why: (vip, backend) => whyOf(admin.status(), leadership.engine.backendFacts(vip, backend), vip, backend),
    slots: (pool) => leadership.engine.slots(pool),
    history: () => history.samples(),
    events: (after) => events.after(after),
    onEvent: (listener) => events.onEntry(listener),
    edit: (edit) => keeper.edit(edit),
    reload: () => keeper.reload(),
    plan: (text, isRehearsed) => planner.plan(text, isRehearsed),
    apply: (text, basis) => keeper.apply(text, basis),
    drift: async (action, name) => {
      const { drift } = leadership.switchPort;
      if (action !== undefined) await drift?.[action](name);
      return drift?.report() ?? [];
    },
  };
  const planner = new Planner({
    keeper,
    desiredBy: (changed) => steering.desiredBy(changed),
    engine: () => leadership.engine,
    engineOptions,
  });

  const metrics = createMetrics(admin.status);
  const history = new History({
    clock,
    log,
    engine: () => leadership.engine.status(),
    target: () => leadership.switchPort.status(),
    onCommit: metrics.observeCommit,
  });

  const access = openAccess(own, options.configPath, options, log);
  const server = await startAdminServer(admin, {
    ...access,
    listen: options.listen ?? own.listen,
    clock,
    metrics: async () => ({ type: metrics.type, text: await metrics.text() }),
    pageFiles: loadWebFiles(),
  });
  const forgetToken = access.leave(server.url);
  const leadership = new Leadership(config.desired, engineOptions(config), {
    election: backing.openElection({ name: hostname(), admin: server.url }),
    clock,
    log: about(log, 'leadership'),
    openSwitch: (electionId) =>
      openSwitch(config, options, {
        electionId,
        isShared,
        clock,
        log: about(log, 'switch'),
        adopted: adoptedRows.adopted(),
      }),
    openBook: backing.openBook,
    onLead: async () => void (await Promise.all([steering.takeOver(), adoptedRows.takeOver()])),
    onChange: (engine) => announcing?.note(engine.servable()),
  });
  for (const warning of warnings) log('warn', formatProblem(warning, store.name));
  await steering.start((wanted, from) => leadership.want(wanted, engineOptions(from)));
  keeper.start();
  leadership.start();
  history.start();
  if (text !== fileText)
    log('warn', 'the shared configuration is in force, and this file says something else', {
      file: file.name,
      shared: store.name,
    });
  log('info', 'the controller runs', {
    config: store.name,
    admin: server.url,
    switch: leadership.switchPort.status().target,
  });

  return {
    ...admin,
    adminUrl: server.url,
    adminToken: access.token,
    async close() {
      history.close();
      forgetToken();
      await server.close();
      await keeper.close();
      await steering.close();
      await adoptedRows.close();
      await leadership.close();
      await announcing?.close();
    },
  };

  function switchStatus(): SwitchStatus {
    const status = leadership.switchPort.status();
    return leadership.status().role === 'standby' ? { ...status, connection: 'standby' } : status;
  }

  function engineOptions(from: Config): EngineOptions {
    return { ...engineOptionsOf(from), ...options.engine };
  }
}

function parsedOrThrow(text: string, name: string): { config: Config; warnings: Problem[] } {
  const parsed = parseConfig(text);
  if ('problems' in parsed) throw new BadConfigError(name, parsed.problems);
  return parsed;
}

type SwitchesWorld = Pick<SwitchesOptions, 'clock' | 'log' | 'adopted'>;

function openSwitch(
  config: Config,
  options: ControllerOptions,
  { electionId, isShared, ...world }: SwitchesWorld & { electionId: bigint; isShared: boolean },
): SwitchPort {
  const { auditMs } = config.controller;
  if (options.switchPort) return groupOf(options.switchPort, { ...world, auditMs });
  // Who leads has been decided already; one that has been deposed must not come back.
  return openSwitches(targetsOf(config, options), { ...world, electionId, takesOver: !isShared, auditMs });
}

function targetsOf(config: Config, { switchAddress: address }: ControllerOptions): readonly SwitchTarget[] {
  if (address === undefined) return config.switches;
  return [{ name: formatHostPort(address), address, deviceId: config.switch.deviceId }];
}
