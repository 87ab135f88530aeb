// SPDX-License-Identifier: Apache-2.0
/** What is still to happen, in an order that depends on nothing but time and the order of arrival. */
import type { Millis } from '../../controller/core/event.ts';

interface Planned<T> {
  at: Millis;
  order: number;
  value: T;
}

/** A binary heap. Grows with what is planned; whoever plans bounds it. */
export class EventHeap<T> {
  #heap: Planned<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Infinity when nothing is planned. */
  get nextAt(): Millis {
    return this.#heap.length > 0 ? this.#heap[0]!.at : Number.POSITIVE_INFINITY;
  }

  push(at: Millis, value: T): void {
    const planned = { at, order: this.#order++, value };
    const heap = this.#heap;
    let child = heap.push(planned) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(planned, heap[parent]!)) break;
      heap[child] = heap[parent]!;
      child = parent;
    }
    heap[child] = planned;
  }

  /** @returns undefined when nothing is planned */
  pop(): { at: Millis; value: T } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    const size = heap.length;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[parent] = heap[child]!;
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}

function isBefore<T>(a: Planned<T>, b: Planned<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
