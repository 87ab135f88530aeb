// SPDX-License-Identifier: Apache-2.0
/** Probes of every kind against servers of this process, well and unwell, on loopback. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../../p4runtime/generated/grpc/health/v1/health_pb.ts';
import { serviceDefinition } from '../../../p4runtime/service-definition.ts';
import type { Check } from '../../core/check.ts';
import type { ProbeOutcome } from '../../core/health.ts';
import { Probes, probeLimits } from './probes.ts';

const http: Extract<Check, { kind: 'http' }> = {
  kind: 'http',
  tls: false,
  verify: true,
  path: '/',
  host: undefined,
  statuses: [{ least: 200, most: 299 }],
  body: undefined,
};

/** Whoever answers does so long before. */
const patienceMs = 30_000;

function ask(
  check: Check,
  port: number,
  timeoutMs = patienceMs,
  address = '127.0.0.1',
): Promise<ProbeOutcome> {
  const probes = new Probes();
  onTestFinished(() => probes.close());
  const target = { pool: 'web', backend: 'a', address, port };
  return new Promise((resolve) => probes.probe({ target, check, timeoutMs }, resolve));
}

/** 'passed', or the reason and what people are told. */
async function answer(check: Check, port: number, timeoutMs?: number, address?: string): Promise<string> {
  const outcome = await ask(check, port, timeoutMs, address);
  if (outcome.kind === 'passed') return 'passed';
  return outcome.kind === 'void' ? `void: ${outcome.detail}` : `${outcome.reason}: ${outcome.detail}`;
}

async function listening(server: Server, address = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Nobody listens there, and nobody else will: it is a client's, for as long as the test goes on. */
async function closedPort(): Promise<number> {
  const socket = connect(await listening(createServer()), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket.localPort!;
}

/** The same of UDP: a socket that is connected takes nothing from others, and the kernel says so to them. */
async function closedUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return port;
}

/** A process that never accepts: once its backlog is full, the kernel leaves SYNs unanswered. */
async function deafPort(): Promise<number> {
  const script = `const server = require('node:net').createServer();
    server.listen(0, '127.0.0.1', 1, () => {
      require('node:fs').writeSync(1, server.address().port + '\\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const port = Number(await firstLine(child));
  for (let i = 0; i < 4; i++) await ask({ kind: 'tcp' }, port, 100);
  for (let i = 0; i < 4; i++) {
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => {});
    onTestFinished(() => void socket.destroy());
  }
  return port;
}

function firstLine({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve) => stdout!.once('data', (text) => resolve(String(text).trim())));
}

describe('a TCP probe', () => {
  it('passes where a connection is accepted', async () => {
    const outcome = await ask({ kind: 'tcp' }, await listening(createServer()));
    expect(outcome).toEqual({ kind: 'passed', latencyMs: expect.any(Number) });
    const ipv6 = await listening(createServer(), '::1');
    expect(await answer({ kind: 'tcp' }, ipv6, undefined, '::1')).toBe('passed');
  });

  it('says where nobody listens', async () => {
    expect(await answer({ kind: 'tcp' }, await closedPort())).toBe('refused: connection refused');
  });

  it('says where nothing comes back', async () => {
    expect(await answer({ kind: 'tcp' }, await deafPort(), 200)).toBe('silent: no connection in time');
  });
});

describe('an HTTP probe', () => {
  const serve = (status: number, body: string) =>
    listening(
      createHttpServer((request, response) => {
        response.statusCode = request.url === '/health' ? status : 404;
        response.end(body);
      }),
    );
  const health = { ...http, path: '/health' };

  it.each([
    ['passes with the right status', 204, '', health, 'passed'],
    ['fails with another status', 503, '', health, 'wrong: status 503'],
    ['fails at another path', 200, '', http, 'wrong: status 404'],
    ['passes with the right words', 200, 'all is well', { ...health, body: 'is well' }, 'passed'],
    ['fails without them', 200, 'so so', { ...health, body: 'well' }, "wrong: the body does not say 'well'"],
    [
      'looks for them in the first bytes only',
      200,
      `${' '.repeat(100_000)}well`,
      { ...health, body: 'well' },
      "wrong: the body does not say 'well'",
    ],
    [
      'takes the statuses it is told',
      302,
      '',
      { ...health, statuses: [{ least: 302, most: 302 }] },
      'passed',
    ],
  ] as const)('%s', async (_sentence, status, body, check, expected) => {
    expect(await answer(check, await serve(status, body))).toBe(expected);
  });

  it('names the host it was told, and asks for nothing else', async () => {
    const asked: unknown[] = [];
    const port = await listening(
      createHttpServer(({ method, url, headers }, response) => {
        asked.push([method, url, headers.host]);
        response.end();
      }),
    );
    await answer(http, port);
    await answer({ ...http, host: 'shop.example' }, port);
    expect(asked).toEqual([
      ['GET', '/', '127.0.0.1'],
      ['GET', '/', 'shop.example'],
    ]);
  });

  it('tells one that is slow, one that hangs up, one that speaks otherwise and one that is gone', async () => {
    expect(await answer(http, await listening(createServer()), 100)).toBe('slow: no answer in time');
    const hangsUp = createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
    expect(await answer(http, await listening(hangsUp))).toBe('closed: connection reset');
    const speaksOtherwise = createServer((socket) => socket.end('220 mail.example ESMTP\r\n'));
    expect(await answer(http, await listening(speaksOtherwise))).toMatch(/^wrong: /);
    expect(await answer(http, await closedPort())).toBe('refused: connection refused');
  });

  async function serveTls(listener: RequestListener, address?: string): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-certificate-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const files = ['-keyout', key, '-out', certificate];
    const subject = ['-subj', '/CN=shop.example', '-days', '1', '-nodes'];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        ...files,
        ...subject,
      ],
      { stdio: 'ignore' },
    );
    const pair = { key: readFileSync(key), cert: readFileSync(certificate) };
    return listening(createHttpsServer(pair, listener), address);
  }

  it('believes a certificate only if it shall', async () => {
    const port = await serveTls((_, response) => response.end('well'));
    const check = { ...http, tls: true, host: 'shop.example', body: 'well' };
    expect(await answer({ ...check, verify: false }, port)).toBe('passed');
    expect(await answer(check, port)).toMatch(/^wrong: .*self-signed certificate/);
  });

  it.each([
    ['shop.example:8443', '127.0.0.1', 'shop.example'],
    [undefined, '127.0.0.1', 'nobody'],
    [undefined, '::1', 'nobody'],
    ['[2001:db8::1]:8443', '::1', 'nobody'],
  ])('with host %s at %s asks by TLS for %s: a name, not an address', async (host, address, name) => {
    const port = await serveTls(
      ({ socket }, response) => response.end(`<${(socket as TLSSocket).servername || 'nobody'}>`),
      address,
    );
    const check = { ...http, tls: true, verify: false, host, body: `<${name}>` };
    expect(await answer(check, port, undefined, address)).toBe('passed');
  });

  it('does not blame a backend for a path that nobody can ask for', async () => {
    const outcome = await answer({ ...http, path: '/\n' }, await listening(createHttpServer()));
    expect(outcome).toMatch(/^void: /);
  });
});

describe('a UDP probe', () => {
  const echo = async (prefix: string, address = '127.0.0.1'): Promise<number> => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (datagram, { port }) => socket.send(prefix + datagram, port, address));
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    onTestFinished(() => void socket.close());
    return socket.address().port;
  };
  const check = (expected?: string): Check => ({
    kind: 'udp',
    send: Buffer.from('ping'),
    expect: expected === undefined ? undefined : Buffer.from(expected),
  });

  it('passes with any answer, or with the right one', async () => {
    const port = await echo('re: ');
    expect(await answer(check(), port)).toBe('passed');
    expect(await answer(check('re: ping'), port)).toBe('passed');
    expect(await answer(check(), await echo('', '::1'), undefined, '::1')).toBe('passed');
    expect(await answer(check('pong'), port)).toBe('wrong: answered 72653a2070696e67');
  });

  it('tells silence from a host where nobody listens', async () => {
    const deaf = createSocket('udp4');
    await new Promise<void>((resolve) => deaf.bind(0, '127.0.0.1', resolve));
    onTestFinished(() => void deaf.close());
    expect(await answer(check(), deaf.address().port, 100)).toBe('silent: no answer in time');
    expect(await answer(check(), await closedUdpPort())).toBe('refused: connection refused');
  });
});

describe('a gRPC probe', () => {
  const services: Readonly<Record<string, Serving>> = { '': Serving.SERVING, cart: Serving.NOT_SERVING };

  async function serve(address = '127.0.0.1'): Promise<number> {
    const server = new GrpcServer();
    const { check } = serviceDefinition(Health);
    server.addService(
      { check },
      {
        check: (
          call: { request: { service: string } },
          reply: (error: object | null, response?: object) => void,
        ) => {
          const found = services[call.request.service];
          // 'slow' is never answered.
          if (call.request.service === 'slow') return;
          if (found === undefined) reply({ code: status.NOT_FOUND, details: 'unknown service' });
          else reply(null, create(HealthCheckResponseSchema, { status: found }));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`${address}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    onTestFinished(() => server.forceShutdown());
    return port;
  }

  it('asks for the server or for one of its services', async () => {
    const port = await serve();
    const grpc = (service: string): Check => ({ kind: 'grpc', service });
    expect(await answer(grpc(''), port)).toBe('passed');
    expect(await answer(grpc('cart'), port)).toBe('wrong: NOT_SERVING');
    expect(await answer(grpc('till'), port)).toBe('wrong: NOT_FOUND: unknown service');
    expect(await answer(grpc('slow'), port, 2_000)).toBe('slow: no answer in time');
    expect(await answer(grpc(''), await serve('[::1]'), undefined, '::1')).toBe('passed');
  });

  it('tells who does not speak gRPC, and who is gone', async () => {
    const check: Check = { kind: 'grpc', service: '' };
    expect(await answer(check, await closedPort())).toBe('refused: connection refused');
    const hangsUp = createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
    expect(await answer(check, await listening(hangsUp))).toMatch(/^closed: /);
    expect(await answer(check, await deafPort(), 300)).toBe('silent: no connection in time');
  });
});

describe('a command', () => {
  const run = (...argv: string[]): Check => ({ kind: 'command', argv });

  it('is told whom to ask, and nothing else of our environment', async () => {
    process.env.SECRET = 'x';
    onTestFinished(() => void delete process.env.SECRET);
    const check = run(
      'sh',
      '-c',
      'env | grep -c SECRET; env | grep ^EVENKEEL_ | sort | tr "\\n" " "; exit 3',
    );
    const outcome = await ask(check, 8080);
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'wrong', detail: 'exit code 3: 0' });
    const told = await ask(
      run('sh', '-c', 'echo $EVENKEEL_VIP $EVENKEEL_BACKEND $EVENKEEL_ADDRESS:$EVENKEEL_PORT; exit 1'),
      8080,
    );
    expect(told).toMatchObject({ detail: 'exit code 1: web a 127.0.0.1:8080' });
  });

  it('passes with exit code 0', async () => {
    expect(await answer(run('true'), 1)).toBe('passed');
  });

  it.each([
    ['waits for it', 'wait'],
    ['has ended before it', 'exit 0'],
  ])('is killed with what it has started when its time is over, and %s', async (_words, end) => {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-command-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'pid');
    const check = run('sh', '-c', `sleep 60 & echo $! $$ > ${file}.new; mv ${file}.new ${file}; ${end}`);
    // Its time is over once it has started something, however long that takes here.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let said: string | undefined;
    void answer(check, 1, 500).then((text) => (said = text));
    await expect.poll(() => existsSync(file)).toBe(true);
    const [pid = 0, shell = 0] = readFileSync(file, 'utf8').split(' ').map(Number);
    if (end !== 'wait') await expect.poll(() => stateOf(shell)).toBe('gone');
    // It waits in parts, and reads in between.
    while (said === undefined) {
      vi.advanceTimersByTime(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(said).toBe('slow: the command did not end in time');
    // A process that was killed is gone, or waits as a zombie for whoever adopted it.
    await expect.poll(() => stateOf(pid)).toMatch(/^(gone|Z)$/);
  });

  it('that is not there says nothing about the backend', async () => {
    expect(await answer(run('/no/such/command'), 1)).toMatch(/^void: .*ENOENT/);
  });
});

function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .charAt(0);
  } catch {
    return 'gone';
  }
}

describe('many probes', () => {
  it('run so many at once, and in their turn; those that are cancelled never', async () => {
    const open: ServerResponse[] = [];
    let most = 0;
    const port = await listening(
      createHttpServer((_request, response) => {
        most = Math.max(most, open.push(response));
        // All that come at once are here before any is answered, and one too many has its time to come.
        if (open.length === 4)
          setTimeout(() => {
            for (const each of open.splice(0)) each.end();
          }, 10);
      }),
    );
    const probes = new Probes({ ...probeLimits, socketsAtOnce: 4 });
    onTestFinished(() => probes.close());
    const target = { pool: 'web', backend: 'a', address: '127.0.0.1', port };
    const answered: number[] = [];
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 40; i++) {
        const cancel = probes.probe({ target, check: http, timeoutMs: patienceMs }, () => {
          answered.push(i);
          if (answered.length === 20) resolve();
        });
        if (i % 2 === 1) cancel();
      }
    });
    expect(most).toBe(4);
    expect(answered.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
  });
});
