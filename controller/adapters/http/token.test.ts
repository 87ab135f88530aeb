// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  foundToken,
  isLoopback,
  isSameToken,
  leaveToken,
  newToken,
  parseToken,
  readTokenFile,
} from './token.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-token-'));
  return () => rmSync(folder, { recursive: true });
});

const controller = new URL('http://127.0.0.1:19580');
/** As a command of this user finds it, on a machine where no other controller has left one. */
const found = (url: URL, env: Record<string, string>) => foundToken(url, env, join(folder, 'system'));

describe('a token that the controller has made up', () => {
  it('is found by commands of its user on its machine, until it ends', () => {
    const env = { RUNTIME_DIRECTORY: join(folder, 'run') };
    const token = newToken();
    const forget = leaveToken(env.RUNTIME_DIRECTORY, 19580, token);
    expect(statSync(join(env.RUNTIME_DIRECTORY, '19580.token')).mode & 0o777).toBe(0o600);
    expect(statSync(env.RUNTIME_DIRECTORY).mode & 0o777).toBe(0o700);
    expect(found(controller, env)).toBe(token);
    expect(found(new URL('http://10.0.0.1:19580'), env)).toBeUndefined();
    expect(found(new URL('http://127.0.0.1:19581'), env)).toBeUndefined();
    forget();
    expect(found(controller, env)).toBeUndefined();
  });

  it('is not taken away by a controller that was replaced at its port', () => {
    const env = { RUNTIME_DIRECTORY: folder };
    const forgetFirst = leaveToken(folder, 19580, newToken());
    const second = newToken();
    leaveToken(folder, 19580, second);
    forgetFirst();
    expect(found(controller, env)).toBe(second);
  });

  it('is found where the service of the machine has left it, unless there is one of our own', () => {
    const env = { RUNTIME_DIRECTORY: join(folder, 'run') };
    const [own, system] = [newToken(), newToken()];
    leaveToken(join(folder, 'system'), 19580, system);
    expect(found(controller, env)).toBe(system);
    leaveToken(env.RUNTIME_DIRECTORY, 19580, own);
    expect(found(controller, env)).toBe(own);
  });

  it('is left nowhere where others could replace it', () => {
    chmodSync(folder, 0o777);
    expect(() => leaveToken(folder, 19580, newToken())).toThrow(/others may write/);
  });
});

describe('a token of the operator', () => {
  it('is read from its file, and others had better not', () => {
    const path = join(folder, 'token');
    writeFileSync(path, '  0123456789abcdefghij\n', { mode: 0o600 });
    expect(readTokenFile(path)).toEqual({ token: '0123456789abcdefghij', warning: undefined });
    chmodSync(path, 0o644);
    expect(readTokenFile(path).warning).toMatch(/chmod 600/);
  });

  it.each([
    ['short', 'password'],
    ['empty', ''],
    ['two words', 'correct horse battery staple'],
    ['long', 'x'.repeat(513)],
  ])('may not be %s', (_, text) => {
    expect(parseToken(text)).toMatchObject({ right: expect.stringContaining('openssl rand') });
    const path = join(folder, 'token');
    writeFileSync(path, text);
    expect(() => readTokenFile(path)).toThrow(`controller.token_file: ${path}: the token is too`);
  });

  it('must be there', () => {
    expect(() => readTokenFile(join(folder, 'none'))).toThrow(/none cannot be read/);
  });
});

it('tokens are the same or not, whatever their lengths', () => {
  expect(isSameToken('a-token', 'a-token')).toBe(true);
  for (const other of ['a-token2', 'a-toke', '', 'A-token'])
    expect(isSameToken(other, 'a-token')).toBe(false);
});

it.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['localhost', true],
  ['::1', true],
  ['[::1]', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.example', false],
])('%s is loopback: %s', (host, is) => {
  expect(isLoopback(host)).toBe(is);
});
