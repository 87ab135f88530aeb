// SPDX-License-Identifier: Apache-2.0
/**
 * How long a backend is waited for. A process that was stopped, or starved, finds its timers due before it has read what came in
 * meanwhile, and would take its own absence for the silence of others: of a whole pool at once.
 *
 * So the wait is made of parts, one after another; an absence takes no more than the part that it falls into. And after each part
 * what has come in is read first: immediates have their turn after sockets, timers before them.
 */

const parts = 4;

/**
 * Calls back once so much time has passed in our presence.
 *
 * @returns the function that cancels it
 */
export function waitPatiently(waitMs: number, isOver: () => void): () => void {
  let left = parts;
  let timer: NodeJS.Timeout | undefined;
  let reading: NodeJS.Immediate | undefined;
  waitOn();
  return () => {
    clearTimeout(timer);
    clearImmediate(reading);
  };

  function waitOn(): void {
    if (left-- === 0) {
      isOver();
      return;
    }
    timer = setTimeout(() => {
      reading = setImmediate(waitOn);
    }, waitMs / parts);
  }
}
