// SPDX-License-Identifier: Apache-2.0
/** Indirect meters by name: the rates of one cell. Direct meters are set in their table entries. */
import type { MeterConfig, Update } from './generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from './generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from './p4info.ts';
import { P4RuntimeError } from './p4runtime-error.ts';

/** Per second, and at once beyond that: packets or bytes, as the program declares the meter (RFC 2698). */
export interface MeterRates {
  /** Up to here it is green. */
  readonly committedRate: number;
  readonly committedBurst: number;
  /** Beyond it is red; between the two, yellow. */
  readonly peakRate: number;
  readonly peakBurst: number;
}

/**
 * @param rates  undefined: back to the default, by which everything is green
 * @throws P4RuntimeError 'unknown-name'; 'bad-value' for rates that are no whole numbers, or no cell of this meter
 */
export function setMeter(
  index: P4InfoIndex,
  name: string,
  cell: number,
  rates: MeterRates | undefined,
): Update {
  const { id, object: meter } = index.meters.get(name);
  if (!Number.isInteger(cell) || cell < 0 || BigInt(cell) >= meter.size)
    throw new P4RuntimeError('bad-value', {
      message: `meter ${name} has ${meter.size} cells, and no ${cell}`,
    });
  const value = {
    $typeName: 'p4.v1.MeterEntry',
    meterId: id,
    index: { $typeName: 'p4.v1.Index', index: BigInt(cell) },
    config: rates && configOf(name, rates),
  } as const;
  return {
    $typeName: 'p4.v1.Update',
    type: Update_Type.MODIFY,
    entity: { $typeName: 'p4.v1.Entity', entity: { case: 'meterEntry', value } },
  };
}

function configOf(name: string, rates: MeterRates): MeterConfig {
  const whole = (value: number): bigint => {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new P4RuntimeError('bad-value', { message: `meter ${name}: ${value} is no rate and no burst` });
    return BigInt(value);
  };
  return {
    $typeName: 'p4.v1.MeterConfig',
    cir: whole(rates.committedRate),
    cburst: whole(rates.committedBurst),
    pir: whole(rates.peakRate),
    pburst: whole(rates.peakBurst),
    eburst: 0n,
  };
}
