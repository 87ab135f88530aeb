// SPDX-License-Identifier: Apache-2.0
/** The command line of `evenkeel doctor`. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { json } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

interface DoctorOptions {
  config?: string;
  controller?: string;
  target?: 'embedded' | 'bmv2';
  output: 'table' | 'json';
}

export function addDoctor(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .summary('find out what keeps evenkeel from running here')
    .description(
      'Looks at privileges, versions, ports, interfaces, offloads, MTUs, limits, simple_switch_grpc,\n' +
        'Mininet, etcd, BIRD or FRR, and the controller. Each is ok, a warning or a problem, with what\n' +
        'would help. Nothing is changed.',
    )
    .option('-c, --config <file>', 'configuration file; without it only the machine is looked at')
    .option(
      '--controller <address>',
      'admin API of the controller (EVENKEEL_CONTROLLER; default: as the file says)',
    )
    .addOption(
      new Option(
        '--target <switch>',
        'whom to look for (default: embedded where the file names interfaces)',
      ).choices(['embedded', 'bmv2']),
    )
    .addOption(
      new Option('-o, --output <format>', 'for people or for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ sudo evenkeel doctor -c /etc/evenkeel/evenkeel.yaml\n  $ evenkeel doctor --target bmv2\n' +
        '\nExit codes: 0 no problem (there may be warnings), 1 a problem, 2 wrong command line.',
    )
    .action(async (options: DoctorOptions) => {
      const { diagnose } = await import('./doctor/doctor.ts');
      const { findingsText } = await import('./doctor/finding.ts');
      const { systemWorld } = await import('./doctor/world.ts');
      // What was built lies one folder deeper.
      const installation = resolve(import.meta.dirname, import.meta.url.endsWith('.ts') ? '..' : '../..');
      const controller = options.controller ?? terminal.env.EVENKEEL_CONTROLLER;
      const findings = await diagnose(systemWorld(terminal.env, installation), {
        config: options.config,
        controller: controller && (controller.includes('://') ? controller : `http://${controller}`),
        target: options.target,
      });
      terminal.out(options.output === 'json' ? json(findings) : findingsText(findings));
      const problems = findings.filter(({ level }) => level === 'problem').length;
      if (problems > 0)
        throw new CommandError(
          exitCodes.failed,
          problems === 1 ? 'there is a problem' : `there are ${problems} problems`,
        );
    });
}
