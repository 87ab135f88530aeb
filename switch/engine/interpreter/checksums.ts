// SPDX-License-Identifier: Apache-2.0
/** Checksums: verified behind the parser, updated before the deparser. */

import { runCalculation } from './calculations.ts';
import { holds } from './expressions.ts';
import { isValid, readField, writeField } from './fields.ts';
import type { Machine } from './machine.ts';
import { plainly } from './machine.ts';

export function verifyChecksums(machine: Machine): void {
  const { memory, program, observer } = machine;
  const checksums = program.checksums.filter(({ verify }) => verify);
  if (checksums.length === 0) return;
  let wrong = false;
  for (const checksum of checksums) {
    const { target, calculation, condition } = checksum;
    if (!isValid(memory, target.header) || !holds(condition, plainly(machine))) continue;
    const found = readField(memory, target);
    const expected = BigInt.asUintN(target.field.width, runCalculation(calculation, memory));
    observer?.observe({ kind: 'checksum-verified', checksum, expected, found });
    if (found !== expected) wrong = true;
  }
  const { checksumError } = program.standard;
  if (checksumError) writeField(memory, checksumError, wrong ? 1n : 0n);
}

export function updateChecksums(machine: Machine): void {
  const { memory, program, observer } = machine;
  for (const checksum of program.checksums.filter(({ update }) => update)) {
    const { target, calculation, condition } = checksum;
    if (!holds(condition, plainly(machine))) continue;
    const value = runCalculation(calculation, memory);
    writeField(memory, target, value);
    observer?.observe({ kind: 'checksum-updated', checksum, value });
  }
}
