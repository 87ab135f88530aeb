// SPDX-License-Identifier: Apache-2.0
/** Writes docs/man/evenkeel.1: node dist/cli/man-file.js FILE */
import { writeFileSync } from 'node:fs';
import { buildProgram } from './commands.ts';
import { manPage } from './man.ts';
import { processTerminal } from './terminal.ts';
import { packageVersion } from './version.ts';

const file = process.argv[2];
if (file === undefined) throw new Error('expected the name of the file to write');
// What the environment says is no default.
writeFileSync(file, manPage(buildProgram({ ...processTerminal(), env: {} }), packageVersion()));
