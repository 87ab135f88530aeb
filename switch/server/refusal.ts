// SPDX-License-Identifier: Apache-2.0
/** Refusal: what a client is told when the switch will not do what it asked. Its codes are gRPC's. */

import { status as Code } from '@grpc/grpc-js';

export { Code };

export class Refusal extends Error {
  /** A canonical gRPC code; never OK. */
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
  }
}

/** The request contradicts the P4Info or the rules of P4Runtime. */
export function invalid(message: string): Refusal {
  return new Refusal(Code.INVALID_ARGUMENT, message);
}

/** The request is in order, but this switch cannot serve it. */
export function unimplemented(message: string): Refusal {
  return new Refusal(Code.UNIMPLEMENTED, message);
}
