// SPDX-License-Identifier: Apache-2.0
/**
 * A program carried out as it stands, without generated code, over the same memory: so either may handle the next
 * packet. Values are integers without bounds and every step is the plainest that is right; that makes it the judge of
 * the compiler, and what traces a packet.
 */

import type { Stages } from '../stages.ts';
import { updateChecksums, verifyChecksums } from './checksums.ts';
import { runControl } from './control.ts';
import { runDeparser } from './deparser.ts';
import type { Machine } from './machine.ts';
import { runParser } from './parser.ts';

export interface Interpreter extends Stages {
  readonly machine: Machine;
}

export function interpret(machine: Machine): Interpreter {
  return {
    machine,
    parse: () => runParser(machine),
    verify: () => verifyChecksums(machine),
    ingress: () => runControl(machine.program.ingress, machine),
    egress: () => runControl(machine.program.egress, machine),
    update: () => updateChecksums(machine),
    deparse: () => runDeparser(machine),
  };
}
