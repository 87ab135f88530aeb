// SPDX-License-Identifier: Apache-2.0
/** The switches of a configuration, as one: wiring only. */
import {
  P4RuntimeSwitch,
  type P4RuntimeSwitchOptions,
  type P4RuntimeSwitchTuning,
} from './adapters/p4runtime/p4runtime-switch.ts';
import type { SwitchTarget } from './config/config.ts';
import { formatHostPort } from './config/scalar.ts';
import { SwitchGroup } from './group/switch-group.ts';
import type { AdoptedRows } from './ports/adopted-rows.ts';
import type { Log } from './ports/log.ts';
import type { SwitchPort } from './ports/switch.ts';
import { PrefixPort } from './prefix/prefix-port.ts';
import { loadProgram } from './program.ts';

/** What all of them have in common. */
export type SwitchesOptions = Omit<
  P4RuntimeSwitchOptions,
  keyof P4RuntimeSwitchTuning | 'address' | 'deviceId' | 'program'
> & {
  /** Switches are read back so often; undefined: only when asked. */
  auditMs: number | undefined;
  adopted: AdoptedRows;
};

export function openSwitches(targets: readonly SwitchTarget[], options: SwitchesOptions): SwitchPort {
  const program = loadProgram();
  const members = targets.map(({ name, address, deviceId }) => {
    const log: Log = (level, message, fields) => options.log(level, message, { switch: name, ...fields });
    const port = new P4RuntimeSwitch({
      ...options,
      address: formatHostPort(address),
      deviceId,
      program,
      log,
    });
    return { name, port: new PrefixPort(port, options.clock) };
  });
  return new SwitchGroup(members, options, { auditMs: options.auditMs });
}

/** A switch that has been opened already: the group remembers what it holds. */
export function groupOf(
  port: SwitchPort,
  options: Pick<SwitchesOptions, 'clock' | 'log' | 'auditMs' | 'adopted'>,
): SwitchPort {
  const { auditMs } = options;
  return new SwitchGroup([{ name: port.status().target, port }], options, { auditMs });
}
