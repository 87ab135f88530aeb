// SPDX-License-Identifier: Apache-2.0
/** Who may change state by the admin API, as the configuration file and the environment say. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Tls } from './adapters/http/admin-server.ts';
import { leaveToken, newToken, parseToken, readTokenFile } from './adapters/http/token.ts';
import type { ControllerConfig } from './config/config.ts';
import type { Log } from './ports/log.ts';

export interface AdminAccess {
  token: string;
  /** Chosen by the operator, not made up. */
  isTokenShared: boolean;
  tls: Tls | undefined;
  /** To be called once it is known where the API listens. @returns takes back what was left */
  leave(url: string): () => void;
}

/**
 * @param configPath  relative paths begin beside it
 * @throws Error when what the file names cannot be read, or is no token
 */
export function openAccess(
  { tokenFile, tls }: Pick<ControllerConfig, 'tokenFile' | 'tls'>,
  configPath: string,
  given: { token?: string | undefined; tokenFolder?: string | undefined },
  log: Log,
): AdminAccess {
  const pathOf = (path: string): string => resolve(dirname(configPath), path);
  const chosen = chosenToken(given.token, tokenFile && pathOf(tokenFile), log);
  const token = chosen ?? newToken();
  return {
    token,
    isTokenShared: chosen !== undefined,
    tls: tls && {
      certificate: readPem('certificate', pathOf(tls.certificate)),
      key: readPem('key', pathOf(tls.key)),
      clientCa: tls.clientCa && readPem('client_ca', pathOf(tls.clientCa)),
    },
    leave(url) {
      if (chosen !== undefined || given.tokenFolder === undefined) return () => {};
      try {
        return leaveToken(given.tokenFolder, Number(new URL(url).port), token);
      } catch (error) {
        log('warn', 'the admin API is read-only: there is no token, and none can be left for commands', {
          reason: (error as Error).message,
          remedy: 'controller.token_file or EVENKEEL_TOKEN',
        });
        return () => {};
      }
    },
  };
}

function chosenToken(given: string | undefined, path: string | undefined, log: Log): string | undefined {
  if (given !== undefined) {
    const parsed = parseToken(given);
    if (!('value' in parsed)) throw new Error(`EVENKEEL_TOKEN: ${parsed.wrong}; expected ${parsed.right}`);
    return parsed.value;
  }
  if (path === undefined) return undefined;
  const { token, warning } = readTokenFile(path);
  if (warning !== undefined) log('warn', warning, { file: path });
  return token;
}

function readPem(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`controller.tls.${setting}: ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}
