// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Event } from './core/event.ts';
import { EventQueue, eventQueueDefaults } from './event-queue.ts';

const digest = (sourcePort: number): Event => ({
  kind: 'pin-idle',
  now: 0,
  pool: 1,
  sourceAddress: 1,
  sourcePort,
});
const written = (write: number): Event => ({ kind: 'written', now: 0, write, failures: [] });

function createQueue(options = {}) {
  const handled: Event[] = [];
  const turns: (() => void)[] = [];
  const queue = new EventQueue(
    (event) => handled.push(event),
    options,
    (turn) => turns.push(turn),
  );
  return { queue, handled, turn: () => turns.shift()?.() };
}

describe('an event queue', () => {
  it('hands events over in order, a batch a turn', () => {
    const { queue, handled, turn } = createQueue({ batch: 2 });
    for (let write = 0; write < 5; write++) queue.push(written(write));
    expect(handled).toEqual([]);
    turn();
    expect(handled).toEqual([written(0), written(1)]);
    turn();
    turn();
    expect(handled).toHaveLength(5);
    expect(queue.length).toBe(0);
  });

  it('drops and counts what comes again by itself, and keeps every answer', () => {
    const { queue, handled, turn } = createQueue({ noticeLimit: 3, batch: 100 });
    for (let i = 0; i < 10; i++) {
      queue.push(digest(i));
      queue.push(written(i));
    }
    turn();
    expect(queue.dropped).toBe(7);
    expect(handled.filter((event) => event.kind === 'written')).toHaveLength(10);
    expect(handled.filter((event) => event.kind === 'pin-idle')).toEqual([digest(0), digest(1), digest(2)]);
    queue.push(digest(11));
    turn();
    expect(handled.at(-1)).toEqual(digest(11));
  });

  it('keeps counts in a storm, for that is when they matter', () => {
    const { queue, handled, turn } = createQueue({ noticeLimit: 1, batch: 100 });
    queue.push(digest(1));
    queue.push({ kind: 'admitted', now: 0, flows: 7 });
    turn();
    expect(handled).toContainEqual({ kind: 'admitted', now: 0, flows: 7 });
  });

  it('does not grow in a storm', () => {
    const { queue } = createQueue();
    for (let i = 0; i < 3 * eventQueueDefaults.noticeLimit; i++) queue.push(digest(i & 0xffff));
    expect(queue.length).toBe(eventQueueDefaults.noticeLimit);
  });

  it('is silent once closed', () => {
    const { queue, handled, turn } = createQueue();
    queue.push(written(1));
    queue.close();
    queue.push(written(2));
    turn();
    expect(handled).toEqual([]);
  });
});
