// SPDX-License-Identifier: Apache-2.0
/**
 * The book in a file: a journal that is appended to, each record on disk before the next begins. The first write of a
 * process, and every one that finds the journal long, writes it anew and puts it in the old one's place; so whoever
 * kept it before notices, and stops.
 */
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import { type BookStore, checkEntry, StoreError, type StoreErrorCode } from '../../ports/store.ts';
import { headerLine, readJournal, recordLine } from './journal.ts';

export interface BookFileLimits {
  /** Of all entries together. */
  contentBytesMax: number;
  /** A journal longer than this, and than four times its content, is written anew. */
  journalBytes: number;
}

export const bookFileLimits: Readonly<BookFileLimits> = {
  // 1,048,576 slots take 2.8 MB.
  contentBytesMax: 64 * 1024 * 1024,
  journalBytes: 1024 * 1024,
};

const contentPerJournal = 4;

export function bookFile(path: string, log: Log, limits: Partial<BookFileLimits> = {}): BookStore {
  return new BookFile(path, log, { ...bookFileLimits, ...limits });
}

class BookFile implements BookStore {
  readonly name: string;
  private readonly log: Log;
  private readonly limits: BookFileLimits;
  /** Ours to append to, once we have written it anew. */
  private file: FileHandle | undefined;
  private fileBytes = 0;
  private entries: Map<string, string> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private isDeposed = false;

  constructor(path: string, log: Log, limits: BookFileLimits) {
    this.name = path;
    this.log = log;
    this.limits = limits;
  }

  read(): Promise<ReadonlyMap<string, string>> {
    return this.inTurn(async () => {
      this.entries ??= await this.load();
      return new Map(this.entries);
    });
  }

  write(changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    return this.inTurn(async () => {
      this.entries ??= await this.load();
      const entries = new Map(this.entries);
      for (const [name, text] of changes) {
        checkEntry(name, text);
        if (text === undefined) entries.delete(name);
        else entries.set(name, text);
      }
      const contentBytes = bytesOf(entries);
      if (contentBytes > this.limits.contentBytesMax)
        throw new StoreError(
          'too-large',
          `${contentBytes} bytes are more than ${this.limits.contentBytesMax}`,
        );
      await this.guarded('unwritable', async () => {
        await this.checkStillOurs();
        const line = Buffer.from(recordLine(changes));
        const bytes = this.fileBytes + line.length;
        const isLong = bytes > Math.max(this.limits.journalBytes, contentPerJournal * contentBytes);
        if (this.file === undefined || isLong) await this.writeAnew(entries);
        else await this.append(this.file, line);
      });
      this.entries = entries;
    });
  }

  async close(): Promise<void> {
    await this.inTurn(async () => {
      await this.file?.close();
      this.file = undefined;
    });
  }

  private async load(): Promise<Map<string, string>> {
    const bytes = await this.guarded('unreadable', () =>
      readFile(this.name).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return Buffer.alloc(0);
        throw error;
      }),
    );
    const content = readJournal(bytes);
    if (content === undefined) throw new StoreError('unreadable', `${this.name} is not a journal of a book`);
    const { entries, records, lostBytes } = content;
    if (lostBytes > 0)
      this.log('warn', 'the end of the book was cut off; what came before it counts', {
        file: this.name,
        records,
        lostBytes,
      });
    return entries;
  }

  /** Another process has put its own journal in the place of ours. */
  private async checkStillOurs(): Promise<void> {
    if (this.file !== undefined) {
      const [ours, there] = await Promise.all([
        this.file.stat(),
        stat(this.name).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return undefined;
          throw error;
        }),
      ]);
      // Somebody has cleared it away: it is written anew.
      if (there === undefined) await this.letGo();
      else if (there.ino !== ours.ino || there.dev !== ours.dev) this.isDeposed = true;
    }
    if (this.isDeposed)
      throw new StoreError('deposed', `another process keeps ${this.name} now; give each controller its own`);
  }

  private async append(file: FileHandle, line: Buffer): Promise<void> {
    try {
      await file.appendFile(line);
      await file.datasync();
      this.fileBytes += line.length;
    } catch (error) {
      // Half a line may stand there; nothing after it would count.
      await this.letGo();
      throw error;
    }
  }

  private async writeAnew(entries: ReadonlyMap<string, string>): Promise<void> {
    const temporary = join(dirname(this.name), `.${basename(this.name)}.${process.pid}.tmp`);
    const bytes = Buffer.from(headerLine() + (entries.size === 0 ? '' : recordLine(entries)));
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
      await rename(temporary, this.name);
    } catch (error) {
      await file.close();
      await rm(temporary, { force: true });
      throw error;
    }
    await this.letGo();
    this.file = file;
    this.fileBytes = bytes.length;
    // The new name must survive a power cut as well.
    const folder = await open(dirname(this.name), 'r');
    await folder.sync().finally(() => folder.close());
  }

  private async letGo(): Promise<void> {
    await this.file?.close().catch(() => {});
    this.file = undefined;
    this.fileBytes = 0;
  }

  private async guarded<T>(code: StoreErrorCode, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof StoreError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const what = code === 'unreadable' ? 'cannot be read' : 'cannot be written';
      throw new StoreError(code, `${this.name} ${what}: ${reason}`, cause);
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => {});
    return result;
  }
}

function bytesOf(entries: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [name, text] of entries) bytes += name.length + Buffer.byteLength(text);
  return bytes;
}
