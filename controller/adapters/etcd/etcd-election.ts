// SPDX-License-Identifier: Apache-2.0
/**
 * Election by etcd: each candidate has a key that lives by its lease; the oldest key leads.
 *
 *   lease ──> key ──older keys gone──> leader ──lease lost, or key deleted──> standby ──> a new lease
 *
 * The revision at which a key came to be is the term. Keys lead in the order of their revisions, so terms only grow. A
 * leader that cannot renew its lease stops before the lease can have ended, by its own clock.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Clock } from '../../ports/clock.ts';
import type { Candidate, Election, Role } from '../../ports/election.ts';
import type { Log } from '../../ports/log.ts';
import type { Fence } from './etcd-book.ts';
import { type EtcdClient, EtcdError, type KeyValue } from './etcd-client.ts';

export interface EtcdElectionOptions {
  /** The candidates' keys begin with it; ends with a slash. */
  prefix: string;
  /** Of the store as a whole; see below. */
  generationKey: string;
  candidate: Candidate;
  /** After a leader has died without a word, the next takes over so much later. Whole seconds. */
  leaseMs: number;
  clock: Clock;
  log: Log;
}

/** Renewals in the life of a lease. */
const renewalsPerLease = 3;
/** A leader whose lease ends in so much of its life stops. */
const marginShare = 0.1;
const retryMs = 300;

const withoutLeader: Role = { kind: 'standby', leader: undefined, problem: undefined };

const candidateSchema = z.object({ name: z.string(), admin: z.string() });

export class EtcdElection implements Election {
  private readonly client: EtcdClient;
  private readonly options: EtcdElectionOptions;
  private readonly stop = new AbortController();
  private listener: (role: Role) => void = () => {};
  private campaigning: Promise<void> = Promise.resolve();
  private leading: Fence | undefined;

  constructor(client: EtcdClient, options: EtcdElectionOptions) {
    this.client = client;
    this.options = options;
  }

  start(listener: (role: Role) => void): void {
    this.listener = listener;
    this.campaigning = this.campaignForEver();
  }

  /** By which a write shows that it is still ours to make; undefined while we do not lead. */
  get fence(): Fence | undefined {
    return this.leading;
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.campaigning;
  }

  private async campaignForEver(): Promise<void> {
    while (!this.stop.signal.aborted) {
      try {
        await this.campaign();
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (this.stop.signal.aborted) break;
        this.stepDown({ kind: 'standby', leader: undefined, problem: error.message });
        await pause(retryMs, undefined, { signal: this.stop.signal }).catch(() => {});
      }
    }
  }

  /** From one lease to its end. */
  private async campaign(): Promise<void> {
    const { clock, prefix, candidate } = this.options;
    const generation = await this.generation();
    const sentAt = clock.now();
    const lease = await this.client.grantLease(Math.ceil(this.options.leaseMs / 1_000));
    const key = prefix + lease.id.toString(16);
    const isOver = new AbortController();
    const end = (): void => isOver.abort();
    this.stop.signal.addEventListener('abort', end);
    // At once, whatever we are waiting for.
    isOver.signal.addEventListener('abort', () => this.stepDown(withoutLeader));
    // Asked for before anything that lives by the lease, so that a lease that nobody renews is never relied upon.
    const renewing = this.renew(lease.id, lease.ttlSeconds * 1_000, sentAt, isOver);
    try {
      const value = JSON.stringify(candidate);
      await this.client.transact([{ key, createRevision: 0n }], [{ put: key, value, lease: lease.id }]);
      await this.follow(key, generation, isOver.signal);
    } finally {
      this.stop.signal.removeEventListener('abort', end);
      end();
      await renewing;
      // The next need not wait until it ends by itself.
      await this.client.revokeLease(lease.id).catch(() => {});
    }
  }

  /** Keeps us informed about who leads, until our key is gone or `signal` says that our lease may be. */
  private async follow(key: string, generation: bigint, signal: AbortSignal): Promise<void> {
    const { prefix } = this.options;
    while (!signal.aborted) {
      try {
        let { entries, revision } = await this.client.range(prefix, true);
        if (!this.see(entries, key, generation, signal)) return;
        for await (const _ of this.client.watch(prefix, true, revision, signal)) {
          ({ entries, revision } = await this.client.range(prefix, true));
          if (!this.see(entries, key, generation, signal)) return;
        }
      } catch (error) {
        // As long as the lease is good, it does not matter whom we ask.
        if (!(error instanceof EtcdError)) throw error;
        if (error.code === 'unexpected') throw error;
        await pause(retryMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** @returns whether our key is still there */
  private see(entries: readonly KeyValue[], key: string, generation: bigint, signal: AbortSignal): boolean {
    const byAge = entries.toSorted((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
    const own = byAge.find((entry) => entry.key === key);
    if (own === undefined || signal.aborted) return false;
    if (own === byAge[0]) {
      if (this.leading !== undefined) return true;
      this.leading = { key, createRevision: own.createRevision };
      this.listener({ kind: 'leader', term: (generation << 64n) | own.createRevision });
    } else {
      this.listener({ kind: 'standby', leader: candidateOf(byAge[0]!), problem: undefined });
    }
    return true;
  }

  private stepDown(role: Role): void {
    this.leading = undefined;
    this.listener(role);
  }

  /** Renews the lease until `isOver`; aborts that as soon as the lease may have ended. */
  private async renew(id: bigint, ttlMs: number, grantedAt: number, isOver: AbortController): Promise<void> {
    const { clock, log } = this.options;
    const usableMs = ttlMs * (1 - marginShare);
    let goodUntil = grantedAt + usableMs;
    let cancel = clock.after(goodUntil - clock.now(), lose);
    const { signal } = isOver;
    while (!signal.aborted) {
      const pauseMs = Math.min(ttlMs / renewalsPerLease, Math.max(retryMs, (goodUntil - clock.now()) / 4));
      await pause(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
      const sentAt = clock.now();
      try {
        const seconds = await this.client.keepLeaseAlive(id, Math.max(1, goodUntil - sentAt));
        if (seconds === 0) {
          log('warn', 'etcd has ended our lease');
          break;
        }
        goodUntil = sentAt + usableMs;
        cancel();
        cancel = clock.after(Math.max(0, goodUntil - clock.now()), lose);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        log('debug', 'the lease was not renewed', { reason: error.message });
      }
    }
    cancel();
    isOver.abort();

    function lose(): void {
      log('warn', 'the lease could not be renewed in time');
      isOver.abort();
    }
  }

  /**
   * An etcd that has lost its data counts revisions from 1 again, but switches remember the highest election id they have
   * seen. So terms begin with the time at which the store came to be.
   */
  private async generation(): Promise<bigint> {
    const { generationKey: key, clock } = this.options;
    const stored = async (): Promise<string | undefined> => (await this.client.range(key)).entries[0]?.value;
    let value = await stored();
    if (value === undefined) {
      const now = String(clock.date().getTime());
      await this.client.transact([{ key, createRevision: 0n }], [{ put: key, value: now }]);
      value = await stored();
    }
    if (value === undefined || !/^\d{1,19}$/.test(value))
      throw new EtcdError('unexpected', `${key} holds '${value}', which is no time`);
    return BigInt(value);
  }
}

function candidateOf(entry: KeyValue): Candidate | undefined {
  try {
    return candidateSchema.parse(JSON.parse(entry.value));
  } catch {
    return undefined;
  }
}
