// SPDX-License-Identifier: Apache-2.0
/** Who may ask the admin server, from where, and what only those are told who may change something. */
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { machineNamesOf } from './access.ts';
import { startAdminServer } from './admin-server.ts';
import { allowed, createAdmin, post, removal } from './testing/remembering-admin.ts';

describe('access to the admin API', () => {
  it('lets its own page change what it has the token for, and be linked to', async () => {
    const { app, asked } = createAdmin();
    const own = {
      ...allowed,
      host: '127.0.0.1:9580',
      origin: 'http://127.0.0.1:9580',
      'sec-fetch-site': 'same-origin',
    };
    expect((await app.request('/api/v1/edit', post(removal, own))).status).toBe(200);
    expect(asked.edits).toEqual([removal]);
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await app.request('/', { headers })).status).toBe(200);
  });

  it('answers to the names of its machine', async () => {
    const { app } = createAdmin();
    for (const host of [hostname(), hostname().toUpperCase(), `${hostname()}:9580`, '127.0.0.1', 'LocalHost'])
      expect((await app.request('/api/v1/status', { headers: { host } })).status).toBe(200);
    expect(machineNamesOf('LB1.Example.com')).toEqual(['lb1.example.com', 'lb1']);
  });

  it('names clients to those alone who may change something', async () => {
    const { app } = createAdmin();
    const open = await (await app.request('/api/v1/drift')).text();
    expect(open).toContain('10.9.0.0');
    expect(open).not.toContain('10.0.1.7');
    const told = await app.request('/api/v1/drift', post({ do: 'look' }));
    expect(await told.text()).toContain('10.0.1.7');
  });

  it('reads no body of who may not change anything', async () => {
    const { app } = createAdmin();
    let read = 0;
    const endless = new ReadableStream({
      pull(controller) {
        read++;
        controller.enqueue(new Uint8Array(1_024));
      },
    });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: endless };
    const response = await app.request('/api/v1/apply', { ...init, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(401);
    expect(read).toBeLessThan(3);
  });

  it.each(['0.0.0.0', '10.0.0.1', '::', 'balancer.example'])(
    'does not listen on %s when nobody there is known',
    async (host) => {
      const { admin, options } = createAdmin();
      const unknown = { ...options, listen: { host, port: 9580 }, isTokenShared: false };
      await expect(startAdminServer(admin, unknown)).rejects.toThrow(
        /can be reached from elsewhere, and knows nobody; expected controller.token_file/,
      );
    },
  );
});
