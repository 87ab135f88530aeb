// SPDX-License-Identifier: Apache-2.0
/** Our own broken promise: said in words, never caught. */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`broken promise: ${promise}`);
}
