// SPDX-License-Identifier: Apache-2.0
/** How a command ends. Scripts may rely on these numbers. */

export const exitCodes = {
  ok: 0,
  /** Refused, or it did not work; stderr says why. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nobody answers at the controller's address. */
  unreachable: 3,
  /** The configuration file has problems. */
  badConfig: 4,
  /** Something differs, and --exit-code asked for a word about it. */
  differs: 5,
  /** The deadline of a drain has passed: what was left has been given up. */
  deadline: 6,
  /** Told to stop waiting; what was begun goes on. */
  interrupted: 7,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command: the message, if there is one, goes to stderr as it is. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
