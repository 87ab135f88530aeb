// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps a speaker saying what it should: tells it at once, looks again every now and then, and tries again after a failure.
 *
 *   announce ──> apply ──ok──────> look again after recheckMs ──> apply ...
 *                  └───failed────> try again after retryMs ─────> apply ...
 */
import type { Address } from '../../core/desired.ts';
import type { Announcer, AnnouncerStatus } from '../../ports/announcer.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { prefixOf, type Speaker } from './speaker.ts';

export interface AnnouncerOptions {
  /** A speaker that starts anew without its routes is without them for so long at most. */
  recheckMs: number;
  retryMs: number;
}

export const announcerDefaults: Readonly<AnnouncerOptions> = { recheckMs: 2_000, retryMs: 500 };

export class SpeakerAnnouncer implements Announcer {
  private readonly speaker: Speaker;
  private readonly world: { clock: Clock; log: Log };
  private readonly options: AnnouncerOptions;
  /** Undefined: nobody has said yet what is to be announced. */
  private wanted: readonly Address[] | undefined;
  private announced: string[] | undefined;
  private problem: string | undefined;
  private applying: Promise<void> | undefined;
  private isStale = false;
  private isClosed = false;
  private cancelTimer = () => {};

  constructor(speaker: Speaker, world: { clock: Clock; log: Log }, options: Partial<AnnouncerOptions> = {}) {
    this.speaker = speaker;
    this.world = world;
    this.options = { ...announcerDefaults, ...options };
  }

  announce(addresses: readonly Address[]): void {
    this.wanted = [...addresses];
    this.look();
  }

  status(): AnnouncerStatus {
    const { announced, problem } = this;
    return { speaker: this.speaker.name, announced: announced && [...announced], problem };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.cancelTimer();
    await this.applying;
  }

  private look(): void {
    this.cancelTimer();
    if (this.isClosed || this.wanted === undefined) return;
    if (this.applying !== undefined) {
      this.isStale = true;
      return;
    }
    this.isStale = false;
    this.applying = this.apply(this.wanted).finally(() => {
      this.applying = undefined;
      if (this.isStale) this.look();
    });
  }

  private async apply(addresses: readonly Address[]): Promise<void> {
    const { clock } = this.world;
    let delayMs = this.options.recheckMs;
    try {
      const { isNews } = await this.speaker.apply(addresses);
      this.tell(addresses.map(prefixOf).sort(), isNews);
    } catch (error) {
      delayMs = this.options.retryMs;
      this.fail((error as Error).message);
    }
    if (!this.isClosed) this.cancelTimer = clock.after(delayMs, () => this.look());
  }

  private tell(prefixes: string[], isNews: boolean): void {
    const { log } = this.world;
    const before = new Set(this.announced);
    const now = new Set(prefixes);
    const speaker = this.speaker.name;
    for (const prefix of now) if (!before.has(prefix)) log('info', 'announced', { prefix, speaker });
    for (const prefix of before) if (!now.has(prefix)) log('info', 'withdrawn', { prefix, speaker });
    const isSame = before.size === now.size && prefixes.every((prefix) => before.has(prefix));
    if (isNews && isSame && this.announced !== undefined)
      log('warn', 'the speaker had lost what it was to announce; it was told again', { speaker });
    if (this.problem !== undefined) log('info', 'the speaker answers again', { speaker });
    this.announced = prefixes;
    this.problem = undefined;
  }

  private fail(problem: string): void {
    if (problem !== this.problem)
      this.world.log('warn', `vips cannot be announced or withdrawn: ${problem}`, {
        speaker: this.speaker.name,
      });
    this.problem = problem;
  }
}
