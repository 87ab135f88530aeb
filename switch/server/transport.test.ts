// SPDX-License-Identifier: Apache-2.0
/** TLS and mutual TLS over loopback, with certificates made for the test. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type ChannelCredentials, Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CapabilitiesRequestSchema, P4Runtime } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';
import { Code } from './refusal.ts';
import { type RunningSwitch, startSwitch } from './switch.ts';

/** Node makes keys, but no certificates. */
function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const callTimeoutMs = 60_000;
const { capabilities } = serviceDefinition(P4Runtime);

/** @returns the version of the API; or the code of the failure */
function ask(address: string, channel: ChannelCredentials): Promise<string | number> {
  const client = new Client(address, channel, { 'grpc.use_local_subchannel_pool': 1 });
  const { path, requestSerialize, responseDeserialize } = capabilities;
  return new Promise<string | number>((resolve) => {
    const done = (error: ServiceError | null, response?: { p4runtimeApiVersion: string }) =>
      resolve(error === null ? response!.p4runtimeApiVersion : error.code);
    const request = create(CapabilitiesRequestSchema);
    const deadline = { deadline: Date.now() + callTimeoutMs };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, deadline, done);
  }).finally(() => client.close());
}

describe.skipIf(!hasOpenssl())('TLS (skipped where there is no openssl to make certificates)', () => {
  let directory: string;
  const read = (name: string) => readFileSync(join(directory, name));
  const serverTls = (clientRoots?: string) => ({
    certificate: read('server.pem'),
    key: read('server.key'),
    clientRoots: clientRoots === undefined ? undefined : read(clientRoots),
    requireClientCertificate: clientRoots !== undefined,
  });
  const start = (tls: ReturnType<typeof serverTls>) => startSwitch({ grpcAddress: '127.0.0.1:0', tls });

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'evenkeel-tls-'));
    for (const name of ['server', 'controller', 'stranger']) {
      execFileSync(
        'openssl',
        [
          ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'],
          ...['-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
          ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
        ],
        { cwd: directory, stdio: 'pipe' },
      );
    }
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('serves who trusts the certificate, and nobody else', async () => {
    const running = await start(serverTls());
    try {
      expect(await ask(running.address, credentials.createSsl(read('server.pem')))).toBe('1.5.0');
      expect(await ask(running.address, credentials.createSsl(read('stranger.pem')))).toBe(Code.UNAVAILABLE);
      expect(await ask(running.address, credentials.createInsecure())).toBe(Code.UNAVAILABLE);
    } finally {
      await running.close();
    }
  });

  describe('with client authentication', () => {
    let running: RunningSwitch;
    beforeAll(async () => {
      running = await start(serverTls('controller.pem'));
    });
    afterAll(() => running.close());

    const as = (name: string) =>
      credentials.createSsl(read('server.pem'), read(`${name}.key`), read(`${name}.pem`));

    test('serves a client whose certificate is trusted', async () => {
      expect(await ask(running.address, as('controller'))).toBe('1.5.0');
    });

    test('turns away a client without a certificate, and one with another', async () => {
      expect(await ask(running.address, credentials.createSsl(read('server.pem')))).toBe(Code.UNAVAILABLE);
      expect(await ask(running.address, as('stranger'))).toBe(Code.UNAVAILABLE);
    });
  });

  test('a key that is not one keeps the switch from starting', async () => {
    await expect(start({ ...serverTls(), key: Buffer.from('not a key') })).rejects.toThrow(
      'cannot listen on 127.0.0.1:0',
    );
  });
});
