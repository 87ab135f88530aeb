// SPDX-License-Identifier: Apache-2.0
/** What can go wrong in the lab. */

export type LabErrorCode =
  /** This machine or this user cannot have network namespaces; the message says what is missing. */
  | 'unavailable'
  /** The topology contradicts itself; the message lists every problem. */
  | 'bad-topology'
  /** A command failed; the message has the command and what it said. */
  | 'command-failed';

export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string) {
    super(message);
    this.name = 'LabError';
    this.code = code;
  }
}
