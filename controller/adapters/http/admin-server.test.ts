// SPDX-License-Identifier: Apache-2.0
/** The admin server in front of a controller that only remembers what it was asked. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../config/edit.ts';
import type { Failure } from './admin.ts';
import { startAdminServer } from './admin-server.ts';
import { operations } from './operations.ts';
import { allowed, createAdmin, done, line, map, post, removal, token } from './testing/remembering-admin.ts';

describe('the admin API', () => {
  it('answers questions', async () => {
    const { app, asked } = createAdmin();
    expect(await (await app.request('/api/v1/status')).json()).toMatchObject({ uptimeMs: 5 });
    expect(await (await app.request('/api/v1/events?after=3')).json()).toEqual([line]);
    expect(asked.after).toEqual([3]);
    const explained = await app.request(
      '/api/v1/explain?source=10.0.0.1:1234&target=10.0.0.100:80&protocol=udp',
    );
    expect(await explained.json()).toMatchObject({ why: 'no vip' });
    await app.request('/api/v1/explain?source=[::1:1]:1234&target=[2001:db8::]:80');
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
    expect(await (await app.request('/healthz')).text()).toBe('alive\n');
    expect(await (await app.request('/metrics')).text()).toBe('up 1\n');
    expect((await app.request('/')).headers.get('content-security-policy')).toContain("script-src 'self'");
  });

  it('tells who has each slot, and once only', async () => {
    const { app } = createAdmin();
    const response = await app.request('/api/v1/pools/web/slots');
    expect(await response.json()).toEqual({
      pool: 'web',
      slotCount: 4,
      backends: map.backends,
      bytesPerSlot: 1,
      owners: Buffer.from([1, 1, 2, 0]).toString('base64'),
      bases: Buffer.from([1, 2, 2, 0]).toString('base64'),
      marks: Buffer.from([0, 1, 0, 0]).toString('base64'),
    });
    const headers = { 'if-none-match': response.headers.get('etag')! };
    expect((await app.request('/api/v1/pools/web/slots', { headers })).status).toBe(304);
  });

  it('says whether it is ready', async () => {
    const { app, admin } = createAdmin();
    expect((await app.request('/readyz')).status).toBe(200);
    const { status } = admin;
    admin.status = () => ({ ...status(), engine: { ...status().engine, state: 'disconnected' } });
    const response = await app.request('/readyz');
    expect([response.status, await response.json()]).toEqual([
      503,
      { isReady: false, role: 'leader', engine: 'disconnected', switch: 'ready' },
    ]);
  });

  it('tells events as they come, from where the reader was', async () => {
    const { app, say, listeners } = createAdmin();
    const listen = async (lastEventId: string) => {
      const headers = { accept: 'text/event-stream', 'last-event-id': lastEventId };
      const { body } = await app.request('/api/v1/events', { headers });
      return body!.pipeThrough(new TextDecoderStream()).getReader();
    };
    const told = (number: number, message: string): RegExp =>
      new RegExp(
        `^data: \\{"number":${number},.*"message":"${message}".*\\}\\nid: [0-9a-f]{8}-${number}\\n\\n$`,
      );
    // Of another controller, or of this one before it was started anew.
    const first = await listen('0123abcd-4');
    const { value = '' } = await first.read();
    expect(value).toMatch(told(4, 'hello'));
    const second = await listen(/id: (.*)/.exec(value)![1]!);
    say({ ...line, number: 5, message: 'again' });
    expect((await first.read()).value).toMatch(told(5, 'again'));
    expect((await second.read()).value).toMatch(told(5, 'again'));
    for (const reader of [first, second]) await reader.cancel();
    while (listeners.size > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it.each<Edit>([
    { kind: 'add', vip: 'web', backend: 'a', address: '10.0.0.1', port: 80, weight: 2 },
    { kind: 'add', vip: 'web', backend: 'a', address: '::1:1', port: 80, serverId: '0a01' },
    removal,
    { kind: 'weight', vip: 'web', backend: 'a', weight: 0 },
    { kind: 'state', vip: 'web', backend: 'a', state: 'down' },
  ])('passes on $kind as it was sent', async (edit) => {
    const { app, asked } = createAdmin();
    const response = await app.request('/api/v1/edit', post(edit));
    expect([response.status, await response.json()]).toEqual([200, done]);
    expect(asked.edits).toEqual([edit]);
  });

  it('reloads', async () => {
    const { app, asked } = createAdmin();
    expect((await app.request('/api/v1/reload', post({}))).status).toBe(200);
    expect(asked.reloads).toBe(1);
  });

  it.each<
    [
      what: string,
      path: string,
      init: RequestInit | undefined,
      status: number,
      where: string,
      wrong: RegExp,
      right: RegExp,
    ]
  >([
    ['an unknown path', '/api/v1/stat', undefined, 404, 'path', /there is no GET \/api\/v1\/stat/, /openapi/],
    ['a file beside the pages', '/assets/..%2Fpackage.json', undefined, 404, 'path', /there is no GET/, /./],
    [
      'an unknown pool',
      '/api/v1/pools/wbe/slots',
      undefined,
      404,
      'path.pool',
      /no vip named 'wbe'/,
      /'web'/,
    ],
    [
      'a flow without ports',
      '/api/v1/explain?source=10.0.0.1&target=10.0.0.2:80',
      undefined,
      400,
      'query.source',
      /'10.0.0.1' is not/,
      /^ADDRESS:PORT/,
    ],
    [
      'a missing target',
      '/api/v1/explain?source=10.0.0.1:1',
      undefined,
      400,
      'query.target',
      /missing/,
      /ADDRESS/,
    ],
    [
      'another protocol',
      '/api/v1/explain?source=10.0.0.1:1&target=10.0.0.2:80&protocol=sctp',
      undefined,
      400,
      'query.protocol',
      /'sctp'/,
      /^tcp or udp$/,
    ],
    ['a line that is no number', '/api/v1/events?after=x', undefined, 400, 'query.after', /'x'/, /number/],
    [
      'an unknown kind of edit',
      '/api/v1/edit',
      post({ ...removal, kind: 'grow' }),
      400,
      'body.kind',
      /'grow'/,
      /add, remove, weight, state/,
    ],
    [
      'a field too many',
      '/api/v1/edit',
      post({ ...removal, force: 1 }),
      400,
      'body',
      /force/,
      /kind, vip, backend/,
    ],
    [
      'a field too few',
      '/api/v1/edit',
      post({ kind: 'remove', vip: 'web' }),
      400,
      'body.backend',
      /missing/,
      /name/,
    ],
    [
      'a weight out of range',
      '/api/v1/edit',
      post({ ...removal, kind: 'weight', weight: 65536 }),
      400,
      'body.weight',
      /'65536'/,
      /from 0 to 65535/,
    ],
    ['what is not JSON', '/api/v1/edit', post('{'), 400, 'body', /not JSON/, /object/],
    [
      'a form',
      '/api/v1/edit',
      { ...post('kind=remove'), headers: { ...allowed, 'content-type': 'text/plain' } },
      415,
      'header.content-type',
      /not said to be JSON/,
      /application\/json/,
    ],
    [
      'a body without end',
      '/api/v1/edit',
      post(' '.repeat(100_000)),
      413,
      'body',
      /too large/,
      /65536 bytes/,
    ],
    [
      'a change without a token',
      '/api/v1/edit',
      post(removal, {}),
      401,
      'header.authorization',
      /needs a token/,
      /--token/,
    ],
    [
      'a change with another token',
      '/api/v1/edit',
      post(removal, { authorization: 'Bearer the-token-of-that-test' }),
      401,
      'header.authorization',
      /not the token/,
      /Bearer TOKEN/,
    ],
    [
      'a reload with half a token',
      '/api/v1/reload',
      post({}, { authorization: `Bearer ${token.slice(0, -1)}` }),
      401,
      'header.authorization',
      /not the token/,
      /./,
    ],
    [
      'a web page of elsewhere',
      '/api/v1/status',
      { headers: { origin: 'http://evil.example' } },
      403,
      'header.origin',
      /web page/,
      /./,
    ],
    [
      'a change by a web page of elsewhere that knows the token',
      '/api/v1/edit',
      post(removal, { ...allowed, origin: 'null' }),
      403,
      'header.origin',
      /web page/,
      /./,
    ],
    [
      'a picture in a web page of elsewhere',
      '/api/v1/status',
      { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } },
      403,
      'header.sec-fetch-site',
      /web page/,
      /./,
    ],
    [
      'a name that was bent to loopback',
      '/api/v1/status',
      { headers: { host: 'evil.example:9580' } },
      403,
      'header.host',
      /web page/,
      /./,
    ],
  ])('refuses %s', async (_, path, init, status, where, wrong, right) => {
    const { app, asked } = createAdmin();
    const response = await app.request(path, init);
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    const { error } = (await response.json()) as { error: { where: string; wrong: string; right: string } };
    expect(error).toMatchObject({
      where,
      wrong: expect.stringMatching(wrong),
      right: expect.stringMatching(right),
    });
    expect([asked.edits, asked.reloads]).toEqual([[], 0]);
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
    const response = await app.request('/api/v1/edit', post(removal));
    expect([response.status, await response.json()]).toEqual([status, { error: failure }]);
  });

  it('listens where it is told, and says when it cannot', async () => {
    const { admin, options } = createAdmin();
    const server = await startAdminServer(admin, options);
    try {
      expect(await (await fetch(`${server.url}/api/v1/status`)).json()).toMatchObject({ uptimeMs: 5 });
      const port = Number(new URL(server.url).port);
      await expect(
        startAdminServer(admin, { ...options, listen: { host: '127.0.0.1', port } }),
      ).rejects.toThrow(`the admin API cannot listen on 127.0.0.1:${port}`);
    } finally {
      await server.close();
    }
  });
});

describe('the description of the API', () => {
  it('is OpenAPI, and has every operation', async () => {
    const { app } = createAdmin();
    const description = (await (await app.request('/openapi.json')).json()) as {
      paths: Record<string, Record<string, { security?: unknown }>>;
    };
    expect(await new Validator().validate(structuredClone(description))).toMatchObject({ valid: true });
    expect(Object.keys(description.paths).sort()).toEqual(
      [...new Set(operations.map(({ path }) => path)), '/healthz', '/metrics'].sort(),
    );
    for (const { path, method, body } of operations)
      expect([path, 'security' in description.paths[path]![method]!]).toEqual([path, body !== undefined]);
  });
});
