#!/usr/bin/env -S node --max-semi-space-size=64
// SPDX-License-Identifier: Apache-2.0
/** A P4Runtime switch with simple_switch_grpc's command line. */

import { readFileSync } from 'node:fs';
import { switchOptionsOf } from '../switch/server/command-files.ts';
import { type CommandLine, parseCommandLine, usage } from '../switch/server/command-line.ts';
import { type LogLevel, startSwitch } from '../switch/server/switch.ts';

const levels: readonly LogLevel[] = ['info', 'warn', 'error'];

const parsed = parseCommandLine(process.argv.slice(2));
if ('help' in parsed) process.stdout.write(parsed.help);
else if ('version' in parsed) process.stdout.write(`${packageVersion()}\n`);
else if ('problems' in parsed) {
  for (const problem of parsed.problems) process.stderr.write(`evenkeel-switch-grpc: ${problem}\n`);
  process.stderr.write(usage);
  process.exitCode = 2;
} else await serve(parsed.command);

async function serve(command: CommandLine): Promise<void> {
  const log = (level: LogLevel, line: string) => {
    const { logLevel } = command;
    if (logLevel === 'off' || levels.indexOf(level) < levels.indexOf(logLevel)) return;
    process.stderr.write(`[${new Date().toISOString()}] ${level}: ${line}\n`);
  };
  for (const what of command.ignored) log('warn', `ignored ${what}`);
  try {
    const options = switchOptionsOf(command, (path) => readFileSync(path, 'utf8'));
    const running = await startSwitch({ ...options, log, onFailure: () => process.exit(1) });
    process.stdout.write(`Server listening on ${running.address}\n`);
    if (running.dataplaneAddress !== undefined) {
      process.stdout.write(`Dataplane listening on ${running.dataplaneAddress}\n`);
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void running.close().then(() => process.exit(0)));
    }
  } catch (cause) {
    process.stderr.write(`evenkeel-switch-grpc: ${(cause as Error).message}\n`);
    process.exitCode = 1;
  }
}

function packageVersion(): string {
  const path = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
