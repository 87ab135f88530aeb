// SPDX-License-Identifier: Apache-2.0
/**
 * P4RuntimeError: the one error of this folder. What went wrong is told by a closed set of codes; the
 * message says where, and what would be right.
 */
import { status as Code } from '@grpc/grpc-js';

/** What a caller can do about it differs from code to code; nothing else is worth distinguishing. */
export type P4RuntimeErrorCode =
  // The caller's mistakes; nothing was sent.
  | 'bad-text' // a text-format file cannot be read
  | 'bad-p4info' // a P4Info contradicts itself
  | 'unknown-name'
  | 'ambiguous-name'
  | 'bad-value' // too wide, not a number, not an address
  | 'bad-entry' // a table entry that its table cannot hold
  // The switch refused.
  | 'not-primary' // another controller is, or nobody
  | 'no-pipeline' // no program has been pushed yet
  | 'already-exists'
  | 'not-found'
  | 'full' // RESOURCE_EXHAUSTED; simple_switch_grpc says 'rejected' for a full table
  | 'invalid' // INVALID_ARGUMENT or OUT_OF_RANGE
  | 'unimplemented'
  | 'rejected' // any other refusal, UNKNOWN included
  // Nobody knows whether the request was carried out.
  | 'unavailable'
  | 'timeout'
  // This client was closed.
  | 'closed';

/** Details that tell one trouble from another at 3 a.m. */
export interface P4RuntimeErrorDetails {
  message?: string;
  /** Address of the switch. */
  target?: string;
  /** The gRPC status code, when there was one. */
  status?: number;
  cause?: unknown;
}

export class P4RuntimeError extends Error {
  readonly code: P4RuntimeErrorCode;
  readonly target: string | undefined;
  readonly status: number | undefined;

  constructor(code: P4RuntimeErrorCode, details: P4RuntimeErrorDetails = {}) {
    const where = details.target === undefined ? '' : `${details.target}: `;
    super(`${where}${details.message ?? code}`, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'P4RuntimeError';
    this.code = code;
    this.target = details.target;
    this.status = details.status;
  }
}

/** The code for the status of a whole RPC. */
export function codeOfRpc(status: number): P4RuntimeErrorCode {
  switch (status) {
    // The two that a server answers before it looks at any update.
    case Code.PERMISSION_DENIED:
      return 'not-primary';
    case Code.FAILED_PRECONDITION:
      return 'no-pipeline';
    default:
      return codeOfUpdate(status);
  }
}

/** The code for the status of one update inside a Write. */
export function codeOfUpdate(status: number): P4RuntimeErrorCode {
  switch (status) {
    case Code.ALREADY_EXISTS:
      return 'already-exists';
    case Code.NOT_FOUND:
      return 'not-found';
    case Code.RESOURCE_EXHAUSTED:
      return 'full';
    case Code.INVALID_ARGUMENT:
    case Code.OUT_OF_RANGE:
      return 'invalid';
    case Code.UNIMPLEMENTED:
      return 'unimplemented';
    case Code.UNAVAILABLE:
      return 'unavailable';
    case Code.DEADLINE_EXCEEDED:
      return 'timeout';
    case Code.CANCELLED:
      return 'closed';
    default:
      return 'rejected';
  }
}
