// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the engine while we are in charge, and none while we are not.
 *
 *   election ──leader──> read the book ──> connect to the switch as `term` ──> the engine runs, its book is kept
 *            ──standby─> the connection is closed at once, whatever is under way: the switch forwards as it last did
 */
import { BookKeeper, type BookStatus, readBook } from './book/book-keeper.ts';
import type { Desired } from './core/desired.ts';
import type { EngineOptions } from './core/options.ts';
import { Engine } from './engine.ts';
import type { Clock } from './ports/clock.ts';
import type { Candidate, Election, Role } from './ports/election.ts';
import type { Log } from './ports/log.ts';
import type { BookStore } from './ports/store.ts';
import type { SwitchPort } from './ports/switch.ts';

export interface LeadershipWorld {
  election: Election;
  clock: Clock;
  log: Log;
  /** Neither connects before it is told to start. */
  openSwitch: (electionId: bigint) => SwitchPort;
  /** The book as whoever leads now may write it. */
  openBook: () => BookStore;
  /** We begin to lead. Nothing is wanted of a switch before it is done. */
  onLead?: () => Promise<void>;
  /** What the engine in charge knows may have changed. */
  onChange?: (engine: Engine) => void;
}

/** Plain JSON-able data. */
export interface LeadershipStatus {
  /** starting: nothing is known yet. */
  role: 'starting' | Role['kind'];
  /** Of ours: the election id by which the switch knows us. Decimal digits. */
  term: string | undefined;
  /** On standby: who leads, if that is known; and what is the matter, if anything. */
  leader: Candidate | undefined;
  problem: string | undefined;
  /** Undefined while we do not lead. */
  book: BookStatus | undefined;
}

interface Reign {
  engine: Engine;
  switchPort: SwitchPort;
  keeper: BookKeeper | undefined;
}

export class Leadership {
  private readonly world: LeadershipWorld;
  private desired: Desired;
  private options: EngineOptions;
  private role: Role | undefined;
  private reign: Reign;
  /** Counts what the election has told: work begun before the last of it is over. */
  private told = 0;
  private closing: Promise<unknown> = Promise.resolve();

  constructor(desired: Desired, options: EngineOptions, world: LeadershipWorld) {
    this.world = world;
    this.desired = desired;
    this.options = options;
    this.reign = this.idleReign();
  }

  start(): void {
    this.world.election.start((role) => this.hear(role));
  }

  /** As Engine.want, for every engine to come. */
  want(desired: Desired, options: EngineOptions): void {
    this.desired = desired;
    this.options = options;
    this.reign.engine.want(desired, options);
  }

  /** On standby, one that is not connected. */
  get engine(): Engine {
    return this.reign.engine;
  }

  get switchPort(): SwitchPort {
    return this.reign.switchPort;
  }

  status(): LeadershipStatus {
    const { role, reign } = this;
    return {
      role: role?.kind ?? 'starting',
      term: role?.kind === 'leader' ? String(role.term) : undefined,
      leader: role?.kind === 'standby' ? role.leader : undefined,
      problem: role?.kind === 'standby' ? role.problem : undefined,
      book: reign.keeper?.status(),
    };
  }

  async close(): Promise<void> {
    this.told++;
    await this.reign.keeper?.close();
    await this.reign.engine.close();
    await this.closing;
    // Only now: who takes over finds everything written.
    await this.world.election.close();
  }

  private hear(role: Role): void {
    const before = this.role;
    this.role = role;
    if (role.kind === 'leader') {
      this.told++;
      this.world.log('info', 'in charge', { term: String(role.term) });
      void this.takeOver(role.term, this.told);
      return;
    }
    if (before?.kind === 'leader') {
      this.told++;
      this.resign();
    }
    const leader = role.leader?.name;
    const isNews =
      before?.kind !== 'standby' || before.leader?.name !== leader || before.problem !== role.problem;
    if (isNews && (leader ?? role.problem) !== undefined)
      this.world.log(role.problem === undefined ? 'info' : 'warn', role.problem ?? 'on standby', {
        ...(role.leader && { leader: role.leader.name, admin: role.leader.admin }),
      });
  }

  private async takeOver(term: bigint, told: number): Promise<void> {
    const { clock, log, openBook, openSwitch } = this.world;
    const store = openBook();
    const [book] = await Promise.all([readBook(store, log), this.world.onLead?.()]);
    await this.closing;
    if (told !== this.told) {
      await store.close();
      return;
    }
    const switchPort = openSwitch(term);
    const onChange = (): void => {
      keeper.note();
      this.world.onChange?.(engine);
    };
    const engine = new Engine(this.options, { clock, switchPort, log, book, onChange });
    const keeper = new BookKeeper({ store, clock, log, book: () => engine.book() });
    this.reign = { engine, switchPort, keeper };
    engine.want(this.desired, this.options);
    engine.start();
  }

  private resign(): void {
    this.world.log('warn', 'no longer in charge: the switch forwards as it last did');
    const { engine, keeper } = this.reign;
    keeper?.stop();
    this.closing = Promise.allSettled([this.closing, engine.close(), keeper?.close()]);
    this.reign = this.idleReign();
  }

  private idleReign(): Reign {
    const { clock, log, openSwitch } = this.world;
    // It is never told to connect.
    const switchPort = openSwitch(1n);
    const engine = new Engine(this.options, { clock, switchPort, log });
    engine.want(this.desired, this.options);
    return { engine, switchPort, keeper: undefined };
  }
}
