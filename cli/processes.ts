// SPDX-License-Identifier: Apache-2.0
/** The commands that stay: switch, controller, up. */
import { ownTokenFolder } from '../controller/adapters/http/token.ts';
import type { Config } from '../controller/config/config.ts';
import { formatHostPort } from '../controller/config/scalar.ts';
import { createLogger, type LogFormat } from '../controller/logger.ts';
import { BadConfigError, type RunningController, startController } from '../controller/main.ts';
import { type RunningSwitch, type SwitchOptions, startSwitch } from '../switch/server/switch.ts';
import { readConfig } from './check.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { notifyReady } from './notify.ts';
import { stopped, type Terminal } from './terminal.ts';

export interface LogOptions {
  log: LogFormat | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface ControllerCommandOptions extends LogOptions {
  config: string;
  naive?: true;
}

/** The port by which the program takes packets of the controller (p4/v1model/evenkeel.p4). */
const cpuPort = 510;

type Logger = ReturnType<typeof createLogger>;

/** @throws CommandError */
export async function runController(options: ControllerCommandOptions, terminal: Terminal): Promise<void> {
  const controller = await startConfiguredController(options, loggerFor(options, terminal), terminal);
  followHangup(controller, terminal);
  await notifyReady(terminal.env);
  await stopped(terminal.stop);
  await controller.close();
}

/** The embedded switch and its controller, both from one file. */
export async function runBoth(options: ControllerCommandOptions, terminal: Terminal): Promise<void> {
  const logger = loggerFor(options, terminal);
  const running = await startConfiguredSwitch(readConfig(options.config), logger);
  let controller: RunningController;
  try {
    controller = await startConfiguredController(options, logger, terminal);
  } catch (error) {
    await running.target.close();
    throw error;
  }
  followHangup(controller, terminal);
  await notifyReady(terminal.env);
  const failure = await Promise.race([stopped(terminal.stop), running.failure]);
  await controller.close();
  await running.target.close();
  if (failure !== undefined)
    throw new CommandError(exitCodes.failed, `the switch has died: ${failure.message}`);
}

/** The embedded switch of a configuration file, on its own: so that the controller can come and go. */
export async function runConfiguredSwitch(
  configPath: string,
  options: LogOptions,
  terminal: Terminal,
): Promise<void> {
  const { target, failure } = await startConfiguredSwitch(
    readConfig(configPath),
    loggerFor(options, terminal),
  );
  await serveSwitch(target, failure, terminal);
}

function startConfiguredController(
  { config, naive }: ControllerCommandOptions,
  logger: Logger,
  { env }: Terminal,
): Promise<RunningController> {
  const engine = naive ? { naive } : {};
  const access = { token: env.EVENKEEL_TOKEN, tokenFolder: ownTokenFolder(env) };
  return startOrSay(() => startController({ configPath: config, engine, logger, ...access }));
}

interface Embedded {
  target: RunningSwitch;
  /** Resolves when the pipeline dies. */
  failure: Promise<Error>;
}

function startConfiguredSwitch({ switch: config }: Config, logger: Logger): Promise<Embedded> {
  if (config.interfaces.length === 0)
    throw new CommandError(
      exitCodes.badConfig,
      'the embedded switch has no ports; expected switch.interfaces, such as { 1: veth1, 2: veth2 }',
    );
  const interfaces = config.interfaces.map(({ port, device }) => ({ port, interfaceName: device }));
  const { address, deviceId } = config;
  return startEmbedded({ deviceId, grpcAddress: formatHostPort(address), interfaces, cpuPort }, logger);
}

async function startEmbedded(options: Partial<SwitchOptions>, logger: Logger): Promise<Embedded> {
  let tell: (cause: Error) => void;
  const failure = new Promise<Error>((resolve) => (tell = resolve));
  const log: SwitchOptions['log'] = (level, line) => logger[level](`switch: ${line}`);
  const target = await startOrSay(() => startSwitch({ ...options, log, onFailure: (cause) => tell(cause) }));
  logger.info({ address: target.address }, 'the switch listens');
  return { target, failure };
}

async function serveSwitch(
  target: RunningSwitch,
  failure: Promise<Error>,
  terminal: Terminal,
): Promise<void> {
  await notifyReady(terminal.env);
  const died = await Promise.race([stopped(terminal.stop), failure]);
  await target.close();
  if (died !== undefined) throw new CommandError(exitCodes.failed, `the switch has died: ${died.message}`);
}

function followHangup(controller: RunningController, terminal: Terminal): void {
  // What comes of it is in the log.
  terminal.onHangup(() => void controller.reload());
}

function loggerFor({ log, logLevel }: LogOptions, terminal: Terminal): Logger {
  // What is balanced is more than its log: whoever reads it may come and go.
  terminal.outliveReaders?.();
  return createLogger(log ?? (terminal.isScreen ? 'text' : 'json'), logLevel, (line) => terminal.out(line));
}

async function startOrSay<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const code = error instanceof BadConfigError ? exitCodes.badConfig : exitCodes.failed;
    throw new CommandError(code, (error as Error).message);
  }
}
