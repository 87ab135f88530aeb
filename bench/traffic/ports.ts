// SPDX-License-Identifier: Apache-2.0
/** The ports of the switch under test. */

export const sourcePort = 1;
export const sinkPort = 2;
