// SPDX-License-Identifier: Apache-2.0
/**
 * Where a controller keeps what the next one shall know: entries of text by name. What they say is controller/book's
 * business. What is wanted is kept elsewhere: config-store.ts.
 */

/** Of one entry, in bytes of UTF-8; etcd takes no request above 1.5 MiB. */
export const entryBytesMax = 1_048_576;
export const entryNameMax = 200;

export interface BookStore {
  /** How people call it. */
  readonly name: string;
  /** Everything that is kept. @throws StoreError */
  read(): Promise<ReadonlyMap<string, string>>;
  /**
   * Replaces entries; undefined deletes one. Whoever reads afterwards, even after a power cut, sees each entry as it was
   * or as it is now, whole, and never an older state than one that was seen before. Calls take effect in their order.
   *
   * @throws StoreError
   */
  write(changes: ReadonlyMap<string, string | undefined>): Promise<void>;
  close(): Promise<void>;
}

/**
 * unreadable, unwritable, unavailable: the reason is the cause; trying again may help. too-large: an entry, or all of
 * them. deposed: another controller keeps the book now; trying again does not help.
 */
export type StoreErrorCode = 'unreadable' | 'unwritable' | 'unavailable' | 'too-large' | 'deposed';

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}

/** @throws StoreError 'too-large' */
export function checkEntry(name: string, text: string | undefined): void {
  const bytes = text === undefined ? 0 : Buffer.byteLength(text);
  if (name.length > entryNameMax || bytes > entryBytesMax)
    throw new StoreError('too-large', `entry ${name.slice(0, entryNameMax)} has ${bytes} bytes`);
}
