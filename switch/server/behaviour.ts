// SPDX-License-Identifier: Apache-2.0
/** One row of compat-table.ts. */

export interface Behaviour {
  /** The situation, as a sentence. */
  readonly when: string;
  /** Whatever simple_switch_grpc or the specification refuses, with the code of the former. */
  readonly strict: string;
  readonly bmv2: string;
  readonly spec: string;
  readonly real?: string;
}
