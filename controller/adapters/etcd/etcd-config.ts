// SPDX-License-Identifier: Apache-2.0
/** The configuration in etcd, shared by several controllers: replaced only if nobody else did, watched by all. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ConfigStore } from '../../ports/config-store.ts';
import { type EtcdClient, EtcdError } from './etcd-client.ts';

/** unreadable, unwritable: the cause is etcd's. changed: by somebody else, since it was read. */
export type EtcdConfigErrorCode = 'unreadable' | 'unwritable' | 'changed';

export class EtcdConfigError extends Error {
  readonly code: EtcdConfigErrorCode;

  constructor(code: EtcdConfigErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EtcdConfigError';
    this.code = code;
  }
}

export const configBytesMax = 1_048_576;
const retryMs = 1_000;

/**
 * @param key  where the text is
 * @param initial  the text when there is none yet; whoever comes first brings it
 */
export function etcdConfig(client: EtcdClient, key: string, initial: string): ConfigStore {
  const name = `etcd ${client.name} ${key}`;

  async function load(): Promise<{ text: string; modRevision: bigint; revision: bigint } | undefined> {
    const { entries, revision } = await client.range(key);
    const [entry] = entries;
    return entry && { text: entry.value, modRevision: entry.modRevision, revision };
  }

  async function put(text: string, modRevision: bigint): Promise<void> {
    const bytes = Buffer.byteLength(text);
    if (bytes > configBytesMax)
      throw new EtcdConfigError('unwritable', `${bytes} bytes are more than ${configBytesMax}, for etcd`);
    let isDone: boolean;
    try {
      ({ isDone } = await client.transact([{ key, modRevision }], [{ put: key, value: text }]));
    } catch (cause) {
      // It may have been done; then the text is there.
      if ((await load().catch(() => undefined))?.text === text) return;
      throw cause;
    }
    if (!isDone) throw new EtcdConfigError('changed', `${name} was changed by somebody else; try again`);
  }

  async function orConfigError<T>(code: 'unreadable' | 'unwritable', work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const what = code === 'unreadable' ? 'cannot be read' : 'cannot be written';
      throw new EtcdConfigError(code, `${name} ${what}: ${error.message}`, error);
    }
  }

  return {
    name,

    read() {
      return orConfigError('unreadable', async () => {
        const found = await load();
        if (found !== undefined) return found.text;
        await put(initial, 0n).catch((error: unknown) => {
          // Another controller was first; its text counts.
          if (!(error instanceof EtcdConfigError) || error.code !== 'changed') throw error;
        });
        return (await load())?.text ?? initial;
      });
    },

    replace(expected, text) {
      return orConfigError('unwritable', async () => {
        const found = await load();
        if (found?.text !== expected)
          throw new EtcdConfigError('changed', `${name} was changed by somebody else; try again`);
        await put(text, found.modRevision);
      });
    },

    watch(onChange) {
      const stop = new AbortController();
      void follow();
      return () => stop.abort();

      async function follow(): Promise<void> {
        let revision: bigint | undefined;
        while (!stop.signal.aborted) {
          try {
            revision ??= (await client.range(key)).revision;
            // What happened while nobody watched is told by the first call.
            for await (const _ of client.watch(key, false, revision, stop.signal)) onChange();
          } catch (error) {
            if (!(error instanceof EtcdError)) throw error;
            // Too old a revision, for one.
            if (error.code === 'refused') revision = undefined;
            await pause(retryMs, undefined, { signal: stop.signal }).catch(() => {});
          }
        }
      }
    },
  };
}
