// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { P4InfoIndex, parseP4Info } from '../../../p4runtime/p4info.ts';
import { generateTypes } from '../../../p4runtime/typegen.ts';

test('the types of the P4 program are current', () => {
  const name = 'evenkeel.p4info.txtpb';
  const p4info = parseP4Info(readFileSync(new URL(`../../../p4/build/${name}`, import.meta.url)), name);
  const checkedIn = readFileSync(new URL('generated/evenkeel.ts', import.meta.url), 'utf8');
  // If not: make build && node dist/p4runtime/typegen.js p4/build/evenkeel.p4info.txtpb controller/adapters/p4runtime/generated/evenkeel.ts
  expect(checkedIn).toBe(generateTypes(new P4InfoIndex(p4info), name));
});
