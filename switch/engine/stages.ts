// SPDX-License-Identifier: Apache-2.0
/** A program as functions over the packet in `Memory`: compiled (generate.ts) or interpreted (interpreter/). */
export interface Stages {
  parse(): void;
  verify(): void;
  ingress(): void;
  egress(): void;
  update(): void;
  /** @returns where the packet now starts in `A` */
  deparse(): number;
}
