// SPDX-License-Identifier: Apache-2.0
/** The admin API in front of a controller that only remembers what it was asked. */
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../config/edit.ts';
import type { FlowQuestion } from '../../core/explain.ts';
import type { Admin, ChangeResult, ControllerStatus, Failure } from './admin.ts';
import { adminApp, startAdminServer } from './admin-server.ts';

const done: ChangeResult = { isChanged: true, warnings: [], needsRestart: [] };

function createAdmin(result: ChangeResult = done) {
  const asked: { edits: Edit[]; flows: FlowQuestion[]; after: number[]; reloads: number } = {
    edits: [],
    flows: [],
    after: [],
    reloads: 0,
  };
  const admin: Admin = {
    status: () => ({ uptimeMs: 5 }) as ControllerStatus,
    explain: (flow) => {
      asked.flows.push(flow);
      return {
        pool: undefined,
        hash: undefined,
        slot: undefined,
        stable: undefined,
        pin: undefined,
        base: undefined,
        columns: [],
        activeFilter: 0,
        outcomes: [],
        why: 'no vip',
      };
    },
    events: (after) => {
      asked.after.push(after);
      return [{ number: 4, at: '2026-01-01T00:00:00.000Z', level: 'info', message: 'hello', fields: {} }];
    },
    edit: async (edit) => {
      asked.edits.push(edit);
      return result;
    },
    reload: async () => {
      asked.reloads++;
      return result;
    },
  };
  return { asked, app: adminApp(admin, '127.0.0.1'), admin };
}

const post = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('the admin API', () => {
  it('answers questions', async () => {
    const { app, asked } = createAdmin();
    expect(await (await app.request('/status')).json()).toEqual({ uptimeMs: 5 });
    expect(await (await app.request('/events?after=3')).json()).toMatchObject([{ number: 4 }]);
    expect(asked.after).toEqual([3]);
    const explained = await app.request('/explain?source=10.0.0.1:1234&target=10.0.0.100:80&protocol=udp');
    expect(await explained.json()).toMatchObject({ why: 'no vip' });
    await app.request('/explain?source=[::1:1]:1234&target=[2001:db8::]:80');
    expect(asked.flows).toEqual([
      { sourceAddress: 0x0a00_0001, sourcePort: 1234, vipAddress: 0x0a00_0064, vipPort: 80, protocol: 'udp' },
      {
        sourceAddress: 0x1_0001n,
        sourcePort: 1234,
        vipAddress: 0x2001_0db8n << 96n,
        vipPort: 80,
        protocol: 'tcp',
      },
    ]);
  });

  it.each<Edit>([
    { kind: 'add', vip: 'web', backend: 'a', address: '10.0.0.1', port: 80, weight: 2 },
    { kind: 'add', vip: 'web', backend: 'a', address: '::1:1', port: 80, serverId: '0a01' },
    { kind: 'remove', vip: 'web', backend: 'a' },
    { kind: 'weight', vip: 'web', backend: 'a', weight: 0 },
    { kind: 'state', vip: 'web', backend: 'a', state: 'down' },
  ])('passes on $kind as it was sent', async (edit) => {
    const { app, asked } = createAdmin();
    const response = await app.request('/edit', post(edit));
    expect([response.status, await response.json()]).toEqual([200, done]);
    expect(asked.edits).toEqual([edit]);
  });

  it('reloads', async () => {
    const { app, asked } = createAdmin();
    expect((await app.request('/reload', post({}))).status).toBe(200);
    expect(asked.reloads).toBe(1);
  });

  it.each<[what: string, path: string, init: RequestInit | undefined, status: number, wrong: RegExp]>([
    ['an unknown path', '/stat', undefined, 404, /there is no GET \/stat/],
    [
      'a flow without ports',
      '/explain?source=10.0.0.1&target=10.0.0.2:80',
      undefined,
      400,
      /^source: '10.0.0.1' is not/,
    ],
    ['a missing target', '/explain?source=10.0.0.1:1', undefined, 400, /^target: /],
    [
      'another protocol',
      '/explain?source=10.0.0.1:1&target=10.0.0.2:80&protocol=sctp',
      undefined,
      400,
      /sctp/,
    ],
    ['a line that is no number', '/events?after=x', undefined, 400, /^after: 'x'/],
    ['an unknown kind of edit', '/edit', post({ kind: 'grow', vip: 'web', backend: 'a' }), 400, /^kind: /],
    ['a field too many', '/edit', post({ kind: 'remove', vip: 'web', backend: 'a', force: 1 }), 400, /force/],
    [
      'a weight out of range',
      '/edit',
      post({ kind: 'weight', vip: 'web', backend: 'a', weight: 65536 }),
      400,
      /^weight: /,
    ],
    ['what is not JSON', '/edit', post('{'), 400, /not JSON/],
    [
      'a form',
      '/edit',
      { ...post('kind=remove'), headers: { 'content-type': 'text/plain' } },
      415,
      /not said to be JSON/,
    ],
    ['a body without end', '/edit', post(' '.repeat(100_000)), 413, /too large/],
    ['a web page of elsewhere', '/status', { headers: { origin: 'http://evil.example' } }, 403, /web page/],
    [
      'a name that was bent to loopback',
      '/status',
      { headers: { host: 'evil.example:9580' } },
      403,
      /web page/,
    ],
  ])('refuses %s', async (_, path, init, status, wrong) => {
    const { app, asked } = createAdmin();
    const response = await app.request(path, init);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: { wrong: string; right: string } };
    expect(error.wrong).toMatch(wrong);
    expect(error.right).not.toBe('');
    expect(asked.edits).toEqual([]);
  });

  it.each<[code: Failure['code'], status: number]>([
    ['no-such-vip', 404],
    ['exists', 409],
    ['invalid', 422],
    ['unwritable', 500],
    ['busy', 503],
  ])('says %s with status %i', async (code, status) => {
    const failure: Failure = { code, wrong: 'this', right: 'that', problems: [] };
    const { app } = createAdmin({ failure });
    const response = await app.request('/edit', post({ kind: 'remove', vip: 'web', backend: 'a' }));
    expect([response.status, await response.json()]).toEqual([status, { error: failure }]);
  });

  it('listens where it is told, and says when it cannot', async () => {
    const { admin } = createAdmin();
    const server = await startAdminServer(admin, { host: '127.0.0.1', port: 0 });
    try {
      expect(await (await fetch(`${server.url}/status`)).json()).toEqual({ uptimeMs: 5 });
      const port = Number(new URL(server.url).port);
      await expect(startAdminServer(admin, { host: '127.0.0.1', port })).rejects.toThrow(
        `the admin API cannot listen on 127.0.0.1:${port}`,
      );
    } finally {
      await server.close();
    }
  });
});
