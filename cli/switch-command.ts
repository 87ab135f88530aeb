// SPDX-License-Identifier: Apache-2.0
/** A switch by the command line of simple_switch_grpc: `evenkeel-switch-grpc`, and `evenkeel switch`. */

import { majorVersion, minorVersionMax } from '../switch/engine/load.ts';
import { switchOptionsOf } from '../switch/server/command-files.ts';
import { type CommandLine, parseCommandLine } from '../switch/server/command-line.ts';
import { usage } from '../switch/server/command-options.ts';
import { type LogSink, openLogSink } from '../switch/server/log-sink.ts';
import { type RunningSwitch, startSwitch } from '../switch/server/switch.ts';
import { readText } from './check.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { stopped, type Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

/** @throws CommandError */
export async function runSwitch(args: readonly string[], terminal: Terminal): Promise<void> {
  const parsed = parseCommandLine(args);
  if ('problems' in parsed) throw new CommandError(exitCodes.usage, parsed.problems.join('\n'));
  if ('print' in parsed) terminal.out(answers[parsed.print]());
  else await serve(parsed.command, terminal);
}

const answers = {
  help: () => usage,
  version: () => `${packageVersion()}\n`,
  'json-version': () => `${majorVersion}.${minorVersionMax}\n`,
} as const;

async function serve(command: CommandLine, terminal: Terminal): Promise<void> {
  // The switch goes on when nobody reads its log, or its disk is full.
  terminal.outliveReaders?.();
  for (const what of command.ignored) terminal.err(`ignored ${what}\n`);
  const { log, logLevel } = command;
  const { out, err } = terminal;
  const sink = await orFail(() =>
    openLogSink({ log, logLevel, out, err, now: () => new Date(), thread: process.pid }),
  );
  try {
    await serveLogged(command, terminal, sink);
  } finally {
    sink.close();
  }
}

async function serveLogged(command: CommandLine, terminal: Terminal, sink: LogSink): Promise<void> {
  for (const { port, interfaceName } of command.interfaces) {
    const isFile = command.replayAfterSeconds !== undefined ? ' (files)' : '';
    terminal.out(`Adding interface ${interfaceName} as port ${port}${isFile}\n`);
  }
  let tell: (cause: Error) => void;
  const death = new Promise<Error>((resolve) => (tell = resolve));
  const running = await orFail(() =>
    startSwitch({
      ...switchOptionsOf(command, readText),
      log: (lineLevel, line) => sink.write(lineLevel, line),
      onFailure: (cause) => tell(cause),
    }),
  );
  announce(running, terminal);
  const failure = await Promise.race([stopped(terminal.stop), death]);
  await running.close();
  if (failure !== undefined)
    throw new CommandError(exitCodes.failed, `the switch has died: ${failure.message}`);
}

/** Scripts wait for this: clients can come now. */
function announce({ address, dataplaneAddress }: RunningSwitch, terminal: Terminal): void {
  terminal.out(`Server listening on ${address}\n`);
  if (dataplaneAddress !== undefined) terminal.out(`Dataplane listening on ${dataplaneAddress}\n`);
}

async function orFail<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new CommandError(exitCodes.failed, (cause as Error).message);
  }
}
