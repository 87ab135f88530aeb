// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

/** That of the package. */
export function packageVersion(): string {
  // What was built lies one folder deeper.
  const up = import.meta.url.endsWith('.ts') ? '..' : '../..';
  const path = new URL(`${up}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
