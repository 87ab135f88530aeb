// SPDX-License-Identifier: Apache-2.0
/** The book in etcd: a key for each entry. A write counts only as long as its writer leads. */
import { type BookStore, checkEntry, StoreError } from '../../ports/store.ts';
import { type EtcdClient, EtcdError, etcdLimits, type Operation } from './etcd-client.ts';

/** The key by which we lead, and when it came to be: who has led since has another. */
export interface Fence {
  key: string;
  createRevision: bigint;
}

/** @param prefix  of the keys, with a slash at the end */
export function etcdBook(client: EtcdClient, prefix: string, fence: Fence): BookStore {
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: `etcd ${client.name} ${prefix}`,

    async read() {
      const { entries } = await orStoreError('unreadable', client.range(prefix, true));
      return new Map(entries.map(({ key, value }) => [key.slice(prefix.length), value]));
    },

    write(changes) {
      const result = last.then(async () => {
        for (const operations of batches(prefix, changes)) {
          const { isDone } = await orStoreError('unwritable', client.transact([fence], operations));
          if (!isDone) throw new StoreError('deposed', 'another controller leads');
        }
      });
      last = result.catch(() => {});
      return result;
    },

    async close() {
      await last;
    },
  };
}

/** Each entry stands for itself, so it does not matter which come together. */
function batches(prefix: string, changes: ReadonlyMap<string, string | undefined>): Operation[][] {
  const found: Operation[][] = [];
  let batch: Operation[] = [];
  let bytes = 0;
  for (const [name, text] of changes) {
    checkEntry(name, text);
    const key = prefix + name;
    const more = key.length + Buffer.byteLength(text ?? '');
    if (batch.length >= etcdLimits.operations || bytes + more > etcdLimits.requestBytes) {
      found.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(text === undefined ? { delete: key } : { put: key, value: text });
    bytes += more;
  }
  return batch.length === 0 ? found : [...found, batch];
}

async function orStoreError<T>(code: 'unreadable' | 'unwritable', work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    throw new StoreError(error.code === 'unavailable' ? 'unavailable' : code, error.message, error);
  }
}
