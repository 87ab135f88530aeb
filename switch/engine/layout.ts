// SPDX-License-Identifier: Apache-2.0
/**
 * The word array a packet lives in while it is processed: the engine's own words first, then one word per header
 * stack (its "next" counter), then every header: its validity, followed by its fields.
 *
 * Two rules make the generated code short. A word is always canonical: an unsigned number with no bit above the
 * field's width. A header that is not valid has zeroes in all its words, or what it had when it was removed (`keepsFields`), so
 * that reading it needs no test.
 */

/** The engine's own words. `listId + 1` is kept where 0 must mean "not asked for". */
export const slots = {
  /** First byte behind the parsed headers, as an offset in the packet buffer. */
  payload: 0,
  /** One past the last byte of the packet. */
  end: 1,
  /** Running length: received, plus headers added, minus headers removed. */
  length: 2,
  /** Length as received: what counters count. */
  receivedLength: 3,
  exit: 4,
  /** Id of the learn list to sample; ids start at 1. */
  digest: 5,
  /** Session + 1. */
  cloneSession: 6,
  cloneFieldList: 7,
  /** Field list + 1. */
  resubmit: 8,
  /** Field list + 1. */
  recirculate: 9,
  /** Bytes + 1. */
  truncate: 10,
} as const;

export const firstFreeSlot = 12;

/** The longest frame a packet buffer takes. */
export const frameBytesMax = 65_535;

/** Bytes behind the frame: read by loads wider than what they want, and by lookahead past the end. */
export const slackBytes = 16_384;

/**
 * Turns of the loops in the parser, or in one action, before they are cut off: BMv2 would hang. A parser that takes a
 * byte in each turn stays below it with any frame.
 */
export const loopTurnsMax = 131_072;
