#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/** The evenkeel command; see commands.ts. */
import { run } from './commands.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await run(process.argv.slice(2), processTerminal());
