// SPDX-License-Identifier: Apache-2.0
/**
 * The token of who may change state. It is the operator's, from a file or the environment; or the controller makes one up
 * and leaves it where only its own user can read it, so that commands on the same machine need none.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Parsed } from '../../config/scalar.ts';

const tokenLength = { least: 20, most: 512 } as const;
const loopback = /^(127(\.\d+){3}|::1|localhost)$/;

export function isLoopback(host: string): boolean {
  return loopback.test(host.replace(/^\[(.*)\]$/, '$1'));
}

export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function parseToken(text: string): Parsed<string> {
  const value = text.trim();
  const right = `${tokenLength.least} to ${tokenLength.most} printable characters without spaces, such as those of: openssl rand -hex 32`;
  if (value.length < tokenLength.least) return { wrong: 'the token is too short', right };
  if (value.length > tokenLength.most || !/^[\x21-\x7e]+$/.test(value))
    return { wrong: 'the token is too long, or no token', right };
  return { value };
}

/** @returns the token, and what should be said about its file. @throws Error when there is none in it */
export function readTokenFile(path: string): { token: string; warning: string | undefined } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(
      `controller.token_file: ${path} cannot be read (${(cause as Error).message}); expected a file with a token in it`,
      { cause },
    );
  }
  const parsed = parseToken(text);
  if (!('value' in parsed))
    throw new Error(`controller.token_file: ${path}: ${parsed.wrong}; expected ${parsed.right}`);
  const isOpen = (statSync(path).mode & 0o077) !== 0;
  return {
    token: parsed.value,
    warning: isOpen ? 'others can read the token file; chmod 600 it' : undefined,
  };
}

/** Takes as long for every wrong token. */
export function isSameToken(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

type Env = Readonly<Record<string, string | undefined>>;

/** That of a controller of root, or of the service. */
const systemTokenFolder = '/run/evenkeel';

/** Where the controller of this user leaves a token that it has made up. */
export function ownTokenFolder(env: Env, uid = process.getuid?.() ?? 0): string {
  if (env.RUNTIME_DIRECTORY) return env.RUNTIME_DIRECTORY;
  if (uid === 0) return systemTokenFolder;
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'evenkeel') : join(tmpdir(), `evenkeel-${uid}`);
}

/** @returns removes it again. @throws Error when nobody else can be kept from reading or replacing it */
export function leaveToken(folder: string, port: number, token: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  if (uid !== (process.getuid?.() ?? uid) || (mode & 0o022) !== 0)
    throw new Error(`${folder} belongs to somebody else, or others may write to it`);
  const path = join(folder, `${port}.token`);
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, `${token}\n`, { mode: 0o600, flag: 'w' });
  renameSync(fresh, path);
  return () => {
    // Another controller may have come to this port since.
    if (tokenIn(path) === token) rmSync(path, { force: true });
  };
}

/** The token that a controller on this machine has left for us, if it has; where it is ours, or the machine's. */
export function foundToken(url: URL, env: Env, systemFolder = systemTokenFolder): string | undefined {
  if (!isLoopback(url.hostname)) return undefined;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  for (const folder of new Set([ownTokenFolder(env), systemFolder])) {
    const token = tokenIn(join(folder, `${port}.token`));
    if (token !== undefined) return token;
  }
  return undefined;
}

function tokenIn(path: string): string | undefined {
  try {
    const parsed = parseToken(readFileSync(path, 'utf8'));
    return 'value' in parsed ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}
