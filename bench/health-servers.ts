// SPDX-License-Identifier: Apache-2.0
/**
 * All the servers that health checks ask, as a process: `health-servers.js COUNT` listens at 127.1.x.y for TCP, HTTP, HTTPS, UDP and gRPC, and says
 * at which ports as JSON.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { takeCommands } from '../demo/host-process.ts';
import {
  Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../p4runtime/generated/grpc/health/v1/health_pb.ts';
import { serviceDefinition } from '../p4runtime/service-definition.ts';

export interface HealthPorts {
  /** HTTP, and so TCP; UDP has the same. */
  http: number;
  /** Undefined where there is no openssl to make a certificate with. */
  https: number | undefined;
  grpc: number;
}

const count = Number(process.argv[2]);
const http = await listen(createServer((_request, response) => response.end('well')));
await answerDatagrams(http);
const pair = selfSigned();
const https =
  pair === undefined
    ? undefined
    : await listen(createTlsServer(pair, (_request, response) => response.end('well')));
const grpc = await serveGrpc();
process.stdout.write(`${JSON.stringify({ http, https, grpc } satisfies HealthPorts)}\n`);
takeCommands<never>(() => {});

function listen(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '0.0.0.0', () => resolve((server.address() as AddressInfo).port));
  });
}

/** One at each address: an answer must come from where the question went. */
async function answerDatagrams(port: number): Promise<void> {
  const sockets = Array.from({ length: count }, (_, i) => {
    const socket = createSocket('udp4');
    socket.on('message', (datagram, from) => socket.send(datagram, from.port, from.address));
    return new Promise<void>((resolve) =>
      socket.bind(port, `127.1.${(i + 1) >> 8}.${(i + 1) & 255}`, resolve),
    );
  });
  await Promise.all(sockets);
}

function selfSigned(): { key: Buffer; cert: Buffer } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-tls-'));
  const [key, certificate] = [join(folder, 'key'), join(folder, 'certificate')];
  const subject = ['-subj', '/CN=bench.example', '-days', '2', '-nodes'];
  const argv = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', ...subject];
  try {
    execFileSync('openssl', [...argv, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    return { key: readFileSync(key), cert: readFileSync(certificate) };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function serveGrpc(): Promise<number> {
  const server = new Server();
  const { check } = serviceDefinition(Health);
  const serving = create(HealthCheckResponseSchema, { status: Serving.SERVING });
  server.addService(
    { check },
    { check: (_call: unknown, reply: (error: null, response: object) => void) => reply(null, serving) },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('0.0.0.0:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}
