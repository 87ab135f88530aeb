// SPDX-License-Identifier: Apache-2.0
/** `evenkeel doctor`: looks at everything that keeps people from running evenkeel, and says what would help. Changes nothing. */
import type { Config } from '../../controller/config/config.ts';
import { parseConfig } from '../../controller/config/parse.ts';
import { formatProblem } from '../../controller/config/problem.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { hostFindings } from './host.ts';
import { interfaceFindings } from './network.ts';
import { serviceFindings } from './services.ts';
import { bmv2Findings, mininetFinding } from './targets.ts';
import type { World } from './world.ts';

export interface DoctorQuestion {
  /** Of the configuration file; undefined: the machine alone. */
  config: string | undefined;
  /** http://127.0.0.1:9580; undefined: where the file says, or the default. */
  controller: string | undefined;
  /** undefined: embedded if the file names interfaces. */
  target: 'embedded' | 'bmv2' | undefined;
}

/** More than fit on a screen help nobody. */
const configProblemsMax = 10;
/** What a file must have at least, for its defaults. */
const emptyConfig = 'network: { interfaces: [] }\nvips: []\n';

export async function diagnose(world: World, question: DoctorQuestion): Promise<Finding[]> {
  const { config, findings } = readConfig(world, question.config);
  const isEmbedded = question.target !== 'bmv2' && config.switch.interfaces.length > 0;
  const { listen, tls } = config.controller;
  const scheme = tls === undefined ? 'http' : 'https';
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const [machine, interfaces, bmv2, mininet, services] = await Promise.all([
    hostFindings(world, isEmbedded),
    isEmbedded ? interfaceFindings(world, config) : [],
    bmv2Findings(world, question.target === 'bmv2'),
    mininetFinding(world),
    serviceFindings(world, config, question.controller ?? `${scheme}://${host}:${listen.port}`),
  ]);
  return [...machine, ...findings, ...interfaces, ...bmv2, mininet, ...services];
}

function readConfig(world: World, path: string | undefined): { config: Config; findings: Finding[] } {
  const what = 'configuration';
  const fallback = (parseConfig(emptyConfig) as { config: Config }).config;
  if (path === undefined)
    return {
      config: fallback,
      findings: [
        warning(
          what,
          'none was named: interfaces, etcd and speakers are not looked at',
          'evenkeel doctor -c evenkeel.yaml',
        ),
      ],
    };
  const text = world.read(path);
  if (text === undefined)
    return { config: fallback, findings: [problem(what, `${path} cannot be read`, `ls -l ${path}`)] };
  const parsed = parseConfig(text);
  const problems = 'problems' in parsed ? parsed.problems : parsed.warnings;
  const findings = problems
    .slice(0, configProblemsMax)
    .map((each) =>
      (each.severity === 'error' ? problem : warning)(
        what,
        formatProblem(each, path),
        `evenkeel check ${path}`,
      ),
    );
  if ('problems' in parsed) return { config: fallback, findings };
  return { config: parsed.config, findings: findings.length > 0 ? findings : [ok(what, `${path} is sound`)] };
}
