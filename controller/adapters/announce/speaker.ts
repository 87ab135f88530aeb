// SPDX-License-Identifier: Apache-2.0
/** A routing daemon that can be told which addresses to announce. */
import { formatAddress } from '../../core/address.ts';
import type { Address } from '../../core/desired.ts';

export interface Speaker {
  /** How people call it. */
  readonly name: string;
  /**
   * Makes these the addresses that it announces on our behalf; those of others are left alone. Calls never overlap.
   *
   * @returns isNews: something had to be changed
   * @throws SpeakerError
   */
  apply(addresses: readonly Address[]): Promise<{ isNews: boolean }>;
}

/**
 * unreachable: the daemon does not run, or may not be spoken to. refused: it answers, and does not do as it is told.
 * unwritable: its configuration cannot be written.
 */
export type SpeakerErrorCode = 'unreachable' | 'refused' | 'unwritable';

export class SpeakerError extends Error {
  readonly code: SpeakerErrorCode;

  constructor(code: SpeakerErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'SpeakerError';
    this.code = code;
  }
}

/** 10.0.0.1/32, 2001:db8::1/128. */
export function prefixOf(address: Address): string {
  return `${formatAddress(address)}/${typeof address === 'bigint' ? 128 : 32}`;
}
