// SPDX-License-Identifier: Apache-2.0
/** Counter cells to and from P4Runtime. */

import { create } from '@bufbuild/protobuf';
import type { CounterData } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { CounterDataSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { CounterCell } from '../engine/pipeline.ts';
import type { CounterUnit } from './bound.ts';
import type { Rules } from './compat.ts';
import { invalid } from './refusal.ts';

/** @throws Refusal INVALID_ARGUMENT when a count is negative */
export function cellOf({ packetCount, byteCount }: CounterData): CounterCell {
  if (packetCount < 0n || byteCount < 0n) throw invalid('a count cannot be negative');
  return { packets: packetCount, bytes: byteCount };
}

/** 64 unsigned bits travel as int64. */
export function counterData(rules: Rules, unit: CounterUnit, { packets, bytes }: CounterCell): CounterData {
  const tellsBoth = rules.answer('counter-units') === 'packets and bytes';
  return create(CounterDataSchema, {
    packetCount: unit.packets || tellsBoth ? BigInt.asIntN(64, packets) : 0n,
    byteCount: unit.bytes || tellsBoth ? BigInt.asIntN(64, bytes) : 0n,
  });
}
