// SPDX-License-Identifier: Apache-2.0
/**
 * The programs both switches run: ours under programs/, which together use every construct of v1model, and the load
 * balancer. The JSON under programs/build is p4c's without `source_info`; a manifest proves it current.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hashFile } from '../../p4/manifest.ts';
import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import { P4InfoIndex, parseP4Info } from '../../p4runtime/p4info.ts';

export interface TestProgram {
  readonly name: string;
  /** Text of the BMv2 JSON. */
  readonly json: string;
  readonly p4info: P4Info;
  readonly index: P4InfoIndex;
}

// Relative to the repository, where everything here is started.
export const programsFolder = resolve('test/differential/programs');
const balancerBuild = resolve('p4/build');

/** Of the sources that are programs, without what they include. */
export const ownProgramNames: readonly string[] = readdirSync(programsFolder)
  .filter((file) => file.endsWith('.p4') && file !== 'shell.p4')
  .map((file) => file.slice(0, -'.p4'.length))
  .sort();

export const programNames: readonly string[] = [...ownProgramNames, 'evenkeel'];

/** @param name  one of `programNames` */
export function loadProgram(name: string): TestProgram {
  const folder = name === 'evenkeel' ? balancerBuild : join(programsFolder, 'build');
  const p4infoFile = join(folder, `${name}.p4info.txtpb`);
  const p4info = parseP4Info(readFileSync(p4infoFile), p4infoFile);
  const json = readFileSync(join(folder, `${name}.json`), 'utf8');
  return { name, json, p4info, index: new P4InfoIndex(p4info) };
}

/** SHA-256 of every source under programs/, by name. */
export function hashProgramSources(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(programsFolder)
      .filter((file) => file.endsWith('.p4'))
      .sort()
      .map((file) => [file, hashFile(join(programsFolder, file))]),
  );
}
