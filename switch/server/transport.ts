// SPDX-License-Identifier: Apache-2.0
/** Where a gRPC server listens, and whether it speaks TLS. */

import type { Server } from '@grpc/grpc-js';
import { ServerCredentials } from '@grpc/grpc-js';

/** All PEM. */
export interface TlsOptions {
  /** The server's certificate, then those that lead to its root. */
  certificate: Buffer;
  key: Buffer;
  /** Whose signatures a client's certificate may bear; undefined: those the system trusts. */
  clientRoots: Buffer | undefined;
  /** Turn away clients without a certificate. */
  requireClientCertificate: boolean;
}

/** @throws Error when the certificate or the key cannot be used */
export function credentialsOf(tls: TlsOptions | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { certificate, key, clientRoots, requireClientCertificate } = tls;
  const pair = { cert_chain: certificate, private_key: key };
  return ServerCredentials.createSsl(clientRoots ?? null, [pair], requireClientCertificate);
}

/**
 * Ends every call and connection.
 *
 * @param address  as `listen` returned it; undefined when the server listens nowhere
 */
export function shutDown(server: Server, address: string | undefined): void {
  // A server that keeps no books (grpc.enable_channelz) does not end its connections in forceShutdown.
  if (address !== undefined) server.drain(address, 0);
  server.forceShutdown();
}

/** @returns the address, a port 0 resolved: `127.0.0.1:9559` */
export function listen(server: Server, address: string, tls: TlsOptions | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new Error(`cannot listen on ${address}: ${cause.message}`, { cause }));
    try {
      server.bindAsync(address, credentialsOf(tls), (error, port) => {
        if (error === null) resolve(address.replace(/:\d+$/, `:${port}`));
        else fail(error);
      });
    } catch (cause) {
      fail(cause as Error);
    }
  });
}
