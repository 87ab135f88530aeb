// SPDX-License-Identifier: Apache-2.0
/**
 * What stands behind a controller, as its file says: the file itself and a journal beside it; or an etcd, where the
 * configuration, the book and the leader are those of several controllers.
 */
import { dirname, resolve } from 'node:path';
import { etcdBook } from './adapters/etcd/etcd-book.ts';
import { EtcdClient } from './adapters/etcd/etcd-client.ts';
import { etcdConfig } from './adapters/etcd/etcd-config.ts';
import { EtcdElection } from './adapters/etcd/etcd-election.ts';
import { bookFile } from './adapters/store-file/book-file.ts';
import { aloneElection } from './alone.ts';
import type { ControllerConfig } from './config/config.ts';
import { assert } from './core/assert.ts';
import type { Clock } from './ports/clock.ts';
import type { ConfigStore } from './ports/config-store.ts';
import type { Candidate, Election } from './ports/election.ts';
import type { Log } from './ports/log.ts';
import type { BookStore } from './ports/store.ts';

export interface Backing {
  config: ConfigStore;
  /** @param candidate  how the others see us */
  openElection: (candidate: Candidate) => Election;
  /** To be called by who leads: the book of the engine, the factors of weights that follow load, who fills, and adopted rows. */
  openBook: () => BookStore;
  openWeights: () => BookStore;
  openFilling: () => BookStore;
  openAdopted: () => BookStore;
}

const etcdTimeoutMs = 2_000;

/**
 * @param file  the configuration file, and what it says; with etcd only until there is a shared text
 */
export function openBacking(
  file: ConfigStore,
  text: string,
  { store, electionId }: ControllerConfig,
  clock: Clock,
  log: Log,
): Backing {
  if (store.kind === 'file') {
    const path = resolve(dirname(file.name), store.path ?? `${file.name}.book`);
    return {
      config: file,
      // Who was started last is meant to be in charge; P4Runtime keeps the other one from writing.
      openElection: () => aloneElection(electionId ?? BigInt(clock.date().getTime())),
      openBook: () => bookFile(path, log),
      openWeights: () => bookFile(`${file.name}.weights`, log),
      openFilling: () => bookFile(`${file.name}.filling`, log),
      openAdopted: () => bookFile(`${file.name}.adopted`, log),
    };
  }
  const { endpoints, prefix, leaseMs } = store;
  const client = new EtcdClient({ endpoints, timeoutMs: etcdTimeoutMs });
  let election: EtcdElection | undefined;
  return {
    config: etcdConfig(client, `${prefix}config`, text),
    openElection: (candidate) => {
      election = new EtcdElection(client, {
        prefix: `${prefix}leader/`,
        generationKey: `${prefix}generation`,
        candidate,
        leaseMs,
        clock,
        log,
      });
      return election;
    },
    openBook: () => open('book/'),
    openWeights: () => open('weights/'),
    openFilling: () => open('filling/'),
    openAdopted: () => open('adopted/'),
  };

  function open(folder: string): BookStore {
    const fence = election?.fence;
    assert(fence !== undefined, 'only who leads opens a store');
    return etcdBook(client, prefix + folder, fence);
  }
}
