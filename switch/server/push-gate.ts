// SPDX-License-Identifier: Apache-2.0
/**
 * Pushes of programs, one after the other; what else would change the switch waits for them. Who may do so is asked
 * before the wait and again after it: a controller that was deposed meanwhile must not change anything any more.
 */

export class PushGate {
  #push: Promise<void> | undefined;

  /**
   * Starts the work when no push is under way.
   *
   * @param check  throws when the caller may not go on; nothing happens between its last call and the start
   * @throws what `check` or `work` throws
   */
  async whenSettled<Result>(check: () => void, work: () => Promise<Result>): Promise<Result> {
    check();
    while (this.#push !== undefined) {
      await this.#push.catch(() => {});
      check();
    }
    return work();
  }

  /** Likewise for the push of a program. */
  push(check: () => void, work: () => Promise<void>): Promise<void> {
    return this.whenSettled(check, async () => {
      const running = work();
      this.#push = running;
      try {
        await running;
      } finally {
        this.#push = undefined;
      }
    });
  }
}
