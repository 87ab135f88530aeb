// SPDX-License-Identifier: Apache-2.0
/** The admin server over TLS: who shows a certificate of the right authority may change state. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Admin } from './admin.ts';
import { type AdminServer, type AdminServerOptions, startAdminServer } from './admin-server.ts';
import { serverOptions } from './testing/server-options.ts';

const hasOpenssl = (() => {
  try {
    return execFileSync('openssl', ['version']).length > 0;
  } catch {
    return false;
  }
})();

let folder: string;
let options: AdminServerOptions;
let server: AdminServer;
let reloads = 0;

/** A key and a certificate for it, signed by `authority` or by itself. */
function certify(name: string, authority?: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    `${name}.key`,
  ];
  if (authority === undefined) {
    openssl('req', '-x509', ...key, '-out', `${name}.crt`, '-days', '2', '-subj', `/CN=${name}`);
    return;
  }
  openssl('req', ...key, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:balancer.example,IP:127.0.0.1\n');
  const signing = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...signing,
    '-out',
    `${name}.crt`,
    '-days',
    '2',
    '-extfile',
    'names',
  );
}

/** By whose names we ask is the server's business here. */
const checkServerIdentity = (): undefined => undefined;

const pem = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** @returns the status, and what was wrong */
function ask(method: string, path: string, as?: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; where: string | undefined }>((resolve, reject) => {
    const own = as === undefined ? {} : { cert: pem(`${as}.crt`), key: pem(`${as}.key`) };
    const type = { 'content-type': 'application/json', ...headers };
    const options = { method, ca: pem('ours.crt'), ...own, headers: type, agent: false, checkServerIdentity };
    request(new URL(path, server.url), options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const { error } = JSON.parse(text) as { error?: { where: string } };
        resolve({ status: response.statusCode!, where: error?.where });
      });
    })
      .on('error', reject)
      .end(method === 'POST' ? '{}' : undefined);
  });
}

describe.skipIf(!hasOpenssl)('over TLS (needs openssl)', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'evenkeel-tls-'));
    for (const authority of ['ours', 'theirs']) certify(authority);
    certify('server', 'ours');
    certify('friend', 'ours');
    certify('stranger', 'theirs');
    const admin = {
      status: () => ({}),
      reload: async () => {
        reloads++;
        return { isChanged: false, warnings: [], needsRestart: [] };
      },
    } as unknown as Admin;
    options = {
      ...serverOptions,
      isTokenShared: false,
      tls: { certificate: pem('server.crt'), key: pem('server.key'), clientCa: pem('ours.crt') },
    };
    server = await startAdminServer(admin, options);
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it('who does not begin to speak TLS is cut off', async () => {
    const impatient = await startAdminServer({} as Admin, { ...options, headersMs: 200 });
    onTestFinished(() => impatient.close());
    const socket = connect(Number(new URL(impatient.url).port), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'close');
  });

  it('anybody may ask', async () => {
    expect(server.url).toMatch(/^https:/);
    for (const as of [undefined, 'friend', 'stranger'])
      expect(await ask('GET', '/api/v1/status', as)).toMatchObject({ status: 200 });
  });

  it('only who shows a certificate of our authority may change', async () => {
    expect(await ask('POST', '/api/v1/reload')).toEqual({ status: 401, where: 'header.authorization' });
    expect(await ask('POST', '/api/v1/reload', 'stranger')).toMatchObject({ status: 401 });
    expect(reloads).toBe(0);
    expect(await ask('POST', '/api/v1/reload', 'friend')).toMatchObject({ status: 200 });
    expect(reloads).toBe(1);
  });

  it('a page of elsewhere cannot use the certificate of a browser', async () => {
    const before = reloads;
    const headers = { origin: 'https://evil.example' };
    expect(await ask('POST', '/api/v1/reload', 'friend', headers)).toEqual({
      status: 403,
      where: 'header.origin',
    });
    expect(reloads).toBe(before);
  });

  it('the names of its certificate are its own, others are not', async () => {
    expect(await ask('GET', '/api/v1/status', undefined, { host: 'balancer.example' })).toMatchObject({
      status: 200,
    });
    expect(await ask('GET', '/api/v1/status', undefined, { host: 'evil.example' })).toMatchObject({
      status: 403,
      where: 'header.host',
    });
  });
});
