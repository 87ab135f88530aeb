// SPDX-License-Identifier: Apache-2.0
/** What every store of the book promises (ports/store.ts), and what each promises besides. */
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { etcdBook } from '../adapters/etcd/etcd-book.ts';
import { EtcdClient } from '../adapters/etcd/etcd-client.ts';
import { bookFile } from '../adapters/store-file/book-file.ts';
import { type BookStore, entryBytesMax } from '../ports/store.ts';
import { type EtcdProcess, startEtcd, whyNoEtcd } from '../testing/etcd-process.ts';

interface Place {
  /** A store as a controller that has just started opens it. */
  open(): Promise<BookStore>;
  /** Another controller is in charge from now on. */
  depose(): Promise<BookStore>;
}

const noLog = (): void => {};
const opened: BookStore[] = [];
const openFile: typeof bookFile = (...given) => {
  const store = bookFile(...given);
  opened.push(store);
  return store;
};
const changes = (entries: Record<string, string | undefined>) => new Map(Object.entries(entries));
const contents = async (store: BookStore) => Object.fromEntries(await store.read());

let folder: string;
let etcd: EtcdProcess | undefined;
const noEtcd = whyNoEtcd();

beforeAll(async () => {
  if (noEtcd === undefined) etcd = await startEtcd();
});
afterAll(() => etcd?.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-book-'));
  return async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await rm(folder, { recursive: true });
  };
});

function filePlace(): Place {
  const open = async () => openFile(join(folder, 'book'), noLog);
  return { open, depose: open };
}

let places = 0;
function etcdPlace(): Place {
  const prefix = `/test-${process.pid}-${++places}/`;
  const client = new EtcdClient({ endpoints: [etcd!.endpoint], timeoutMs: 5_000 });
  const key = `${prefix}leader`;
  const lead = async () => {
    await client.transact([], [{ delete: key }]);
    const { revision } = await client.transact([], [{ put: key, value: 'me' }]);
    return etcdBook(client, `${prefix}book/`, { key, createRevision: revision });
  };
  return { open: lead, depose: lead };
}

const kinds: [kind: string, place: () => Place, why: string | undefined][] = [
  ['file', filePlace, undefined],
  [`etcd${noEtcd ? `, skipped: ${noEtcd}` : ''}`, etcdPlace, noEtcd],
];

describe.each(kinds)('a book in %s', (_, placeOf, why) => {
  let place: Place;
  beforeEach(() => {
    if (why === undefined) place = placeOf();
  });

  it.skipIf(why)('is empty at first', async () => {
    expect(await contents(await place.open())).toEqual({});
  });

  it.skipIf(why)('replaces and deletes entries, for whoever opens it next', async () => {
    const first = await place.open();
    await first.write(changes({ version: 'one', 'pool/1': 'äöü "\n\u0000', 'pool/2': '' }));
    await first.write(changes({ version: 'two', 'pool/2': undefined, 'pool/3': undefined }));
    const expected = { version: 'two', 'pool/1': 'äöü "\n\u0000' };
    expect(await contents(first)).toEqual(expected);
    await first.close();
    const second = await place.open();
    expect(await contents(second)).toEqual(expected);
    await second.write(changes({ 'pool/4': 'four' }));
    expect(await contents(await place.open())).toEqual({ ...expected, 'pool/4': 'four' });
  });

  it.skipIf(why)('takes writes at once in their order', async () => {
    const store = await place.open();
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.write(changes({ last: `${i}` }))));
    expect(await contents(store)).toEqual({ last: '19' });
  });

  it.skipIf(why)('holds more than one request can carry', async () => {
    const store = await place.open();
    const many = Object.fromEntries(
      Array.from({ length: 150 }, (_, i) => [`pool/${i}`, 'x'.repeat(i % 50 === 0 ? entryBytesMax : 10_000)]),
    );
    await store.write(changes(many));
    expect(await contents(await place.open())).toEqual(many);
  });

  it.skipIf(why)('takes no entry that etcd would not take', async () => {
    const store = await place.open();
    const write = store.write(changes({ big: 'x'.repeat(entryBytesMax + 1) }));
    await expect(write).rejects.toMatchObject({ code: 'too-large' });
    await store.write(changes({ small: 'x' }));
    expect(await contents(store)).toEqual({ small: 'x' });
  });

  it.skipIf(why)('is not written by who was deposed', async () => {
    const old = await place.open();
    await old.write(changes({ a: 'old' }));
    const successor = await place.depose();
    await successor.write(changes({ a: 'new' }));
    await expect(old.write(changes({ a: 'old again' }))).rejects.toMatchObject({ code: 'deposed' });
    await successor.write(changes({ b: 'new' }));
    expect(await contents(await place.open())).toEqual({ a: 'new', b: 'new' });
  });
});

describe('a book in a file', () => {
  /** Three states, each written by one call; the last ones are appended. */
  async function written(): Promise<{ bytes: Buffer; ends: number[]; states: Record<string, string>[] }> {
    const path = join(folder, 'book');
    const store = openFile(path, noLog);
    const ends: number[] = [];
    const states: Record<string, string>[] = [];
    for (const entries of [{ a: '1', b: '2' }, { a: '3' }, { b: undefined, c: 'ü\n' }]) {
      await store.write(changes(entries));
      ends.push((await stat(path)).size);
      states.push(await contents(store));
    }
    await store.close();
    return { bytes: await readFile(path), ends, states };
  }

  it('that was cut off at any byte is what it was after some write, and goes on from there', async () => {
    const { bytes, ends, states } = await written();
    expect(states.at(-1)).toEqual({ a: '3', c: 'ü\n' });
    const path = join(folder, 'cut');
    for (let length = 0; length <= bytes.length; length++) {
      await writeFile(path, bytes.subarray(0, length));
      const warnings: string[] = [];
      const store = openFile(path, (_level, message) => void warnings.push(message));
      const whole = ends.filter((end) => end <= length).length;
      const expected = whole === 0 ? {} : states[whole - 1]!;
      expect([length, await contents(store)]).toEqual([length, expected]);
      const isTorn = length !== 0 && !ends.includes(length) && length !== bytes.indexOf('\n') + 1;
      expect([length, warnings.length]).toEqual([length, isTorn ? 1 : 0]);
      await store.write(changes({ next: `${length}` }));
      await store.close();
      expect(await contents(openFile(path, noLog))).toEqual({ ...expected, next: `${length}` });
    }
  });

  it('with a byte changed is what it was before the damage, and never nonsense', async () => {
    const { bytes, states } = await written();
    const path = join(folder, 'damaged');
    const possible = [{}, ...states].map((state) => JSON.stringify(state));
    for (let at = bytes.indexOf('\n') + 1; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x20;
      await writeFile(path, damaged);
      const read = JSON.stringify(await contents(openFile(path, noLog)));
      expect(possible).toContain(read);
      expect(read).not.toBe(JSON.stringify(states.at(-1)));
    }
  });

  it('leaves another file alone', async () => {
    const path = join(folder, 'letter');
    await writeFile(path, 'Dear reader,\n');
    const store = openFile(path, noLog);
    await expect(store.read()).rejects.toMatchObject({ code: 'unreadable' });
    await expect(store.write(changes({ a: '1' }))).rejects.toMatchObject({ code: 'unreadable' });
    expect(await readFile(path, 'utf8')).toBe('Dear reader,\n');
  });

  it('is written anew when it has grown long, and stays readable all the while', async () => {
    const path = join(folder, 'book');
    const store = openFile(path, noLog, { journalBytes: 2_000 });
    const inodes = new Set<number>();
    let most = 0;
    for (let i = 0; i < 200; i++) {
      await store.write(changes({ [`pool/${i % 3}`]: createHash('sha256').update(`${i}`).digest('hex') }));
      const { ino, size } = await stat(path);
      inodes.add(ino);
      most = Math.max(most, size);
      expect((await openFile(path, noLog).read()).size).toBe(Math.min(i + 1, 3));
    }
    expect(most).toBeLessThanOrEqual(2_000);
    expect(inodes.size).toBeGreaterThan(1);
    expect(await readdir(folder)).toEqual(['book']);
  });

  it('has a limit', async () => {
    const store = openFile(join(folder, 'book'), noLog, { contentBytesMax: 100 });
    await store.write(changes({ a: 'x'.repeat(90) }));
    await expect(store.write(changes({ b: 'x'.repeat(90) }))).rejects.toMatchObject({ code: 'too-large' });
    expect(Object.keys(await contents(store))).toEqual(['a']);
  });

  it('says why it cannot be written, and is written when it can be', async () => {
    const path = join(folder, 'none', 'book');
    const store = openFile(path, noLog);
    await expect(store.write(changes({ a: '1' }))).rejects.toMatchObject({
      code: 'unwritable',
      message: expect.stringContaining('ENOENT'),
    });
    const other = openFile(join(folder, 'book'), noLog);
    await other.write(changes({ a: '1' }));
    await copyFile(join(folder, 'book'), join(folder, 'kept'));
    await rm(join(folder, 'book'));
    await other.write(changes({ b: '2' }));
    expect(await contents(openFile(join(folder, 'book'), noLog))).toEqual({ a: '1', b: '2' });
  });
});
