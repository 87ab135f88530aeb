// SPDX-License-Identifier: Apache-2.0
/** How a stage gives up a packet that BMv2 would have ended its process over, or would have looped over for ever. */

class PacketAbandoned {}

/** Thrown through a stage, caught where the packet's life goes on without it. Never seen outside the engine. */
export const abandoned = new PacketAbandoned();
