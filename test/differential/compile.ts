// SPDX-License-Identifier: Apache-2.0
/**
 * Compiles the programs under programs/ into programs/build; without names all of them:
 * `npx tsc -p test/differential && P4C=/path/to/p4c-bm2-ss node out/differential/test/differential/compile.js [NAME...]`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashFile, type Manifest } from '../../p4/manifest.ts';
import { hashProgramSources, ownProgramNames, programsFolder } from './programs.ts';

const compiler = process.env.P4C ?? 'p4c-bm2-ss';
const build = join(programsFolder, 'build');

function run(args: readonly string[]): string {
  const result = spawnSync(compiler, args, { cwd: programsFolder, encoding: 'utf8' });
  if (result.error) throw new Error(`${compiler} cannot be run: ${result.error.message}. Name it: P4C=...`);
  if (result.status !== 0) throw new Error(`${compiler} ${args.join(' ')}:\n${result.stderr}`);
  return result.stderr;
}

/** Where a thing stood in the source makes up most of the file, and no switch looks at it. */
function withoutSourceInfo(json: string): string {
  return JSON.stringify(JSON.parse(json, (key, value) => (key === 'source_info' ? undefined : value)));
}

const version = /Version (\S+ \(SHA: \w+)/.exec(run(['--version']))?.[1]?.concat(')') ?? 'unknown';
mkdirSync(build, { recursive: true });
const chosen = process.argv.length > 2 ? process.argv.slice(2) : ownProgramNames;
for (const name of chosen) {
  const json = join(build, `${name}.json`);
  const p4info = join(build, `${name}.p4info.txtpb`);
  run(['--std', 'p4-16', '-o', json, '--p4runtime-files', p4info, `${name}.p4`]);
  writeFileSync(json, `${withoutSourceInfo(readFileSync(json, 'utf8'))}\n`);
  console.log(`wrote ${json}`);
}
const outputs = ownProgramNames.flatMap((name) => [`${name}.json`, `${name}.p4info.txtpb`]);
const manifest: Manifest = {
  compiler: `p4c-bm2-ss ${version}`,
  sources: hashProgramSources(),
  outputs: Object.fromEntries(outputs.map((name) => [name, hashFile(join(build, name))])),
};
writeFileSync(join(build, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
