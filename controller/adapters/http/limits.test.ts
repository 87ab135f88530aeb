// SPDX-License-Identifier: Apache-2.0
/** How much the admin server takes at once. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startAdminServer } from './admin-server.ts';
import { adminLimits } from './limits.ts';
import { createAdmin, drifted, post, removal } from './testing/remembering-admin.ts';

describe('the admin API, asked much,', () => {
  it('takes so many changes at once, and so many a second', async () => {
    const { app, pass } = createAdmin();
    const change = async () => (await app.request('/api/v1/edit', post(removal))).status;
    // Who may change nothing uses up nothing.
    for (let i = 0; i < adminLimits.changesAtOnce; i++) await app.request('/api/v1/edit', post(removal, {}));
    for (let i = 0; i < adminLimits.changesAtOnce; i++) expect(await change()).toBe(200);
    const response = await app.request('/api/v1/edit', post(removal));
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    pass(1_000);
    for (let i = 0; i < adminLimits.changesPerSecond; i++) expect(await change()).toBe(200);
    expect(await change()).toBe(429);
  });

  it('takes so many requests at once, and opens so many streams', async () => {
    const { app } = createAdmin();
    const headers = { accept: 'text/event-stream' };
    const streams = [];
    for (let i = 0; i < adminLimits.eventStreams; i++)
      streams.push(await app.request('/api/v1/events', { headers }));
    expect((await app.request('/api/v1/events', { headers })).status).toBe(503);
    for (const { body } of streams) await body!.cancel();
    const left = adminLimits.requestsAtOnce - adminLimits.eventStreams - 1;
    for (let i = 0; i < left; i++) expect((await app.request('/healthz')).status).toBe(200);
    expect((await app.request('/healthz')).status).toBe(429);
  });

  it('lets few wait for the switches at once, and others as soon as these have their answer', async () => {
    const { app, admin } = createAdmin();
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let begun = 0;
    admin.drift = async (action) => {
      if (action === undefined) return [drifted];
      begun++;
      await answered;
      return [drifted];
    };
    const look = () => app.request('/api/v1/drift', post({ do: 'look' }));
    const waiting = Array.from({ length: adminLimits.driftsAtOnce }, look);
    const refused = await look();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await refused.json()) as unknown).toMatchObject({
      error: {
        code: 'too-many',
        wrong: `${adminLimits.driftsAtOnce} requests of this kind (doAboutDrift) are under way already`,
      },
    });
    // What was seen last can still be asked.
    expect((await app.request('/api/v1/drift')).status).toBe(200);
    answer();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 200));
    expect(begun).toBe(adminLimits.driftsAtOnce);
    expect((await look()).status).toBe(200);
  });

  it('cuts off who does not finish his headers', async () => {
    const { admin, options } = createAdmin();
    const server = await startAdminServer(admin, { ...options, headersMs: 200 });
    onTestFinished(() => server.close());
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
    await once(socket, 'close');
  });
});
