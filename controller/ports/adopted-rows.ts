// SPDX-License-Identifier: Apache-2.0
/** Rows of others that are let be on the switches, as controllers that follow each other remember them. */
import type { Row } from '../core/row.ts';

/** By the name of the switch. */
export type RowsBySwitch = ReadonlyMap<string, readonly Row[]>;

export interface AdoptedRows {
  /** What who led before has left. */
  readonly rows: RowsBySwitch;
  /** These are all of them now. @returns why they are not kept, if they are not */
  keep(rows: RowsBySwitch): Promise<string | undefined>;
}
