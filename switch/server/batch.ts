// SPDX-License-Identifier: Apache-2.0
/**
 * One Write while it is carried out. The state of record changes update by update; the pipeline and everybody else hear
 * of it only when the batch is complete, in one piece. So a batch that may not fail in part is taken back by undoing
 * the state of record and telling nobody.
 */

import type { HostOperation } from './host.ts';

/** `parts` goes on after an update that fails; `whole` is all or nothing. */
export type BatchKind = 'parts' | 'whole';

export class Batch {
  /** Of the `apply` that will carry it. */
  readonly number: number;
  /** What the pipeline must be told, in order. */
  readonly operations: HostOperation[] = [];
  /** How to take back what was done to the state of record; undefined in a batch that never is. */
  readonly undo: (() => void)[] | undefined;
  /** What must wait until the batch is known to stand: closing queues, starting timers. */
  readonly afterwards: (() => void)[] = [];

  constructor(number: number, kind: BatchKind) {
    this.number = number;
    this.undo = kind === 'whole' ? [] : undefined;
  }

  push(operation: HostOperation): void {
    this.operations.push(operation);
  }

  /** The state of record is as it was before the batch. */
  rollBack(): void {
    for (const undo of (this.undo ?? []).reverse()) undo();
    this.operations.length = 0;
    this.afterwards.length = 0;
  }

  settle(): void {
    for (const work of this.afterwards) work();
  }
}

/** `map.set(key, value)`, or `map.delete(key)` without a value, that the batch can take back. */
export function put<Key, Value>(
  batch: Batch,
  map: Map<Key, Value>,
  key: Key,
  value: Exclude<Value, undefined> | undefined,
): void {
  if (batch.undo !== undefined) {
    const before = map.get(key);
    batch.undo.push(() => {
      if (before === undefined) map.delete(key);
      else map.set(key, before);
    });
  }
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
