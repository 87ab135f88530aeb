// SPDX-License-Identifier: Apache-2.0
/**
 * Compiles the P4 program into p4/build. Needs p4c-bm2-ss: in PATH, or named by P4C. Where TNA_INCLUDE names the folder with
 * p4c's tna.p4, the shell for Tofino is type-checked too, by p4test: in PATH, or named by P4TEST. `make p4` runs it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hashFile, hashSources, type Manifest, programName } from './manifest.ts';
import { checkTna, tnaTools } from './tna.ts';

const compiler = process.env.P4C ?? 'p4c-bm2-ss';
const p4Folder = resolve(process.argv[2] ?? 'p4');
const build = join(p4Folder, 'build');
const outputs = [`${programName}.json`, `${programName}.p4info.txtpb`];

// p4c prints its version on stderr, after its own path.
const version =
  run(['--version'])
    .stderr.match(/Version (\S+ \(SHA: \w+)/)?.[1]
    ?.concat(')') ?? 'unknown';
mkdirSync(build, { recursive: true });
// The source is named relative to p4/, so that no path of this machine gets into source_info.
run([
  '--std',
  'p4-16',
  '-o',
  join('build', outputs[0]!),
  '--p4runtime-files',
  join('build', outputs[1]!),
  join('v1model', `${programName}.p4`),
]);
const manifest: Manifest = {
  compiler: `p4c-bm2-ss ${version}`,
  sources: hashSources(p4Folder),
  outputs: Object.fromEntries(outputs.map((name) => [name, hashFile(join(build, name))])),
};
writeFileSync(join(build, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
console.log(
  `${compiler}: ${manifest.compiler}\nwrote ${outputs.map((name) => `p4/build/${name}`).join(', ')}`,
);

const tools = tnaTools(process.env);
if ('missing' in tools) {
  console.log(`the TNA shell was not checked: ${tools.missing}`);
} else {
  const problems = checkTna(p4Folder, tools);
  if (problems !== undefined) {
    console.error(problems);
    process.exit(1);
  }
  console.log('the TNA shell type-checks');
}

function run(args: string[]): { stderr: string } {
  const result = spawnSync(compiler, args, { cwd: p4Folder, encoding: 'utf8' });
  if (result.error) {
    console.error(`${compiler} cannot be run (${result.error.message}).`);
    console.error(
      'Install p4c (package p4lang-p4c, or the image p4lang/p4c), or name it: P4C=/path/to/p4c-bm2-ss make p4',
    );
    process.exit(2);
  }
  if (args[0] !== '--version') process.stderr.write(result.stderr);
  if (result.status !== 0) process.exit(1);
  return { stderr: result.stderr };
}
