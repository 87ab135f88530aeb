// SPDX-License-Identifier: Apache-2.0
/** Where the configuration is kept. */

export interface ConfigStore {
  /** How people call it: the path of the file. */
  readonly name: string;
  read(): Promise<string>;
  /**
   * All or nothing: whoever reads afterwards, even after a power cut, sees the old text or the new one, whole.
   *
   * @param expected  what was read before the change; somebody else's change in between is not overwritten
   */
  replace(expected: string, text: string): Promise<void>;
  /** Calls back soon after the text may have changed. @returns the function that ends it */
  watch(onChange: () => void): () => void;
}
