#!/usr/bin/env -S node --max-semi-space-size=64
// SPDX-License-Identifier: Apache-2.0
/** A P4Runtime switch in place of simple_switch_grpc; see switch-command.ts. */
import { CommandError, exitCodes } from './exit-code.ts';
import { runSwitch } from './switch-command.ts';
import { processTerminal } from './terminal.ts';

const name = 'evenkeel-switch-grpc';
const terminal = processTerminal();

try {
  await runSwitch(process.argv.slice(2), terminal);
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  terminal.err(`${error.message.replace(/^/gm, `${name}: `)}\n`);
  if (error.exitCode === exitCodes.usage) terminal.err(`Try: ${name} --help\n`);
  process.exitCode = error.exitCode;
}
