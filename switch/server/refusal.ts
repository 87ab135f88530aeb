// SPDX-License-Identifier: Apache-2.0
/** Refusal: what a client is told when the switch will not do what it asked. Its codes are gRPC's. */

import { status as Code } from '@grpc/grpc-js';

export { Code };

/** Characters of a refusal's text that are sent; the status of an RPC travels in HTTP/2 headers, of which few may be. */
export const refusalTextMax = 4096;

export class Refusal extends Error {
  /** A canonical gRPC code; never OK. */
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(sendableText(message));
    this.name = 'Refusal';
    this.code = code;
  }
}

/** The text cut to what may be sent. Halves of characters, which JSON can hold, become U+FFFD: grpc-js dies of them. */
export function sendableText(text: string): string {
  const cut = text.length > refusalTextMax ? `${text.slice(0, refusalTextMax - 1)}…` : text;
  return Buffer.from(cut).toString();
}

/** The request contradicts the P4Info or the rules of P4Runtime. */
export function invalid(message: string): Refusal {
  return new Refusal(Code.INVALID_ARGUMENT, message);
}

/** The request is in order, but this switch cannot serve it. */
export function unimplemented(message: string): Refusal {
  return new Refusal(Code.UNIMPLEMENTED, message);
}
