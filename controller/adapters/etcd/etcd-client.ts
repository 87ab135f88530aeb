// SPDX-License-Identifier: Apache-2.0
/**
 * etcd over its JSON gateway (v3, etcd 3.4 and later): ranges, transactions, leases, watches. Keys and values are text.
 * Endpoints are tried in turn; what may have been done is never sent twice.
 */
import { z } from 'zod';

/**
 * unavailable: nobody answered, or the cluster has no leader; a write may have been done all the same. refused: etcd
 * understood, and will not. unexpected: this is no etcd that we know.
 */
export type EtcdErrorCode = 'unavailable' | 'refused' | 'unexpected';

export class EtcdError extends Error {
  readonly code: EtcdErrorCode;

  constructor(code: EtcdErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EtcdError';
    this.code = code;
  }
}

export interface EtcdOptions {
  /** http://host:port */
  endpoints: readonly string[];
  /** Of a call; watches last. */
  timeoutMs: number;
}

export interface KeyValue {
  key: string;
  value: string;
  /** When the key came to be; and when it was last written. */
  createRevision: bigint;
  modRevision: bigint;
}

export type Compare =
  /** 0: there is no such key. */
  { key: string; createRevision: bigint } | { key: string; modRevision: bigint };

export type Operation = { put: string; value: string; lease?: bigint } | { delete: string };

/** etcd's own limits, with their defaults: --max-txn-ops 128, --max-request-bytes 1.5 MiB. */
export const etcdLimits = { operations: 100, requestBytes: 1_300_000 } as const;

const int64 = z
  .string()
  .regex(/^-?\d+$/)
  .default('0')
  .transform(BigInt);
const header = z.object({ revision: int64 });
const text = z
  .string()
  .default('')
  .transform((encoded) => Buffer.from(encoded, 'base64').toString());
const keyValue = z
  .object({ key: text, value: text, create_revision: int64, mod_revision: int64 })
  .transform(({ key, value, create_revision: createRevision, mod_revision: modRevision }): KeyValue => {
    return { key, value, createRevision, modRevision };
  });
const rangeAnswer = z.object({ header, kvs: z.array(keyValue).default([]) });
const txnAnswer = z.object({ header, succeeded: z.boolean().default(false) });
const grantAnswer = z.object({ ID: int64, TTL: int64 });
const keepAliveAnswer = z.object({ result: z.object({ TTL: int64 }) });
const watchAnswer = z.object({
  result: z.object({
    header,
    created: z.boolean().default(false),
    canceled: z.boolean().default(false),
    cancel_reason: z.string().default(''),
    events: z.array(z.unknown()).default([]),
  }),
});
const failure = z.object({ message: z.string(), code: z.number().optional() });

/** gRPC: CANCELLED, DEADLINE_EXCEEDED, ABORTED, UNAVAILABLE. */
const passingCodes: ReadonlySet<number | undefined> = new Set([1, 4, 10, 14]);

export class EtcdClient {
  private readonly options: EtcdOptions;
  /** The endpoint that answered last. */
  private current = 0;

  constructor(options: EtcdOptions) {
    this.options = options;
  }

  get name(): string {
    return this.options.endpoints.map((endpoint) => endpoint.replace(/^https?:\/\//, '')).join(',');
  }

  /** As of now, whoever answers. @returns in the order of keys, and the revision of which this is true */
  async range(key: string, isPrefix = false): Promise<{ entries: KeyValue[]; revision: bigint }> {
    const body = { key: encode(key), ...(isPrefix && { range_end: encodeEnd(key) }) };
    const { kvs, header } = await this.call('kv/range', body, rangeAnswer, { isRepeatable: true });
    return { entries: kvs, revision: header.revision };
  }

  /** All or nothing: the operations are done if every comparison holds. */
  async transact(
    compare: readonly Compare[],
    operations: readonly Operation[],
  ): Promise<{ isDone: boolean; revision: bigint }> {
    const body = {
      compare: compare.map((comparison) => {
        const key = encode(comparison.key);
        return 'createRevision' in comparison
          ? { key, target: 'CREATE', result: 'EQUAL', create_revision: String(comparison.createRevision) }
          : { key, target: 'MOD', result: 'EQUAL', mod_revision: String(comparison.modRevision) };
      }),
      success: operations.map((operation) =>
        'put' in operation
          ? {
              request_put: {
                key: encode(operation.put),
                value: encode(operation.value),
                ...(operation.lease !== undefined && { lease: String(operation.lease) }),
              },
            }
          : { request_delete_range: { key: encode(operation.delete) } },
      ),
    };
    const { succeeded, header } = await this.call('kv/txn', body, txnAnswer);
    return { isDone: succeeded, revision: header.revision };
  }

  /** @returns its id, and for how long it is good; etcd may have made that longer */
  async grantLease(ttlSeconds: number): Promise<{ id: bigint; ttlSeconds: number }> {
    const { ID, TTL } = await this.call('lease/grant', { TTL: String(ttlSeconds) }, grantAnswer);
    return { id: ID, ttlSeconds: Number(TTL) };
  }

  /** @returns for how many seconds it is good from now on; 0: there is no such lease any more */
  async keepLeaseAlive(id: bigint, timeoutMs: number): Promise<number> {
    const limits = { isRepeatable: true, timeoutMs };
    const { result } = await this.call('lease/keepalive', { ID: String(id) }, keepAliveAnswer, limits);
    return Math.max(0, Number(result.TTL));
  }

  /** Deletes the lease and the keys that live by it. One that is gone already is no error. */
  async revokeLease(id: bigint): Promise<void> {
    await this.call('lease/revoke', { ID: String(id) }, z.unknown()).catch((error: unknown) => {
      if (!(error instanceof EtcdError) || error.code !== 'refused') throw error;
    });
  }

  /**
   * Yields once when the watch is on, and then whenever something has changed after `revision`. It ends with an EtcdError;
   * the reader reads again what it is interested in, and watches from there.
   */
  async *watch(
    key: string,
    isPrefix: boolean,
    revision: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<void, never, undefined> {
    const create_request = {
      key: encode(key),
      ...(isPrefix && { range_end: encodeEnd(key) }),
      start_revision: String(revision + 1n),
    };
    try {
      const response = await this.post('watch', { create_request }, signal);
      for await (const line of linesOf(response)) {
        const { result } = parse(watchAnswer, line);
        if (result.canceled) throw new EtcdError('refused', `the watch has ended: ${result.cancel_reason}`);
        if (result.created || result.events.length > 0) yield;
      }
    } catch (error) {
      throw asEtcdError(error, 'the watch was cut off');
    }
    throw new EtcdError('unavailable', 'the watch was cut off');
  }

  private async call<T>(
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    { isRepeatable = false, timeoutMs = this.options.timeoutMs } = {},
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.post(path, body, AbortSignal.timeout(timeoutMs));
        return parse(schema, await response.text());
      } catch (cause) {
        const error = asEtcdError(cause, `etcd does not answer (${this.name})`);
        const isSafe = isRepeatable || neverArrived(error.cause);
        if (error.code !== 'unavailable' || !isSafe || attempt >= this.options.endpoints.length) throw error;
      }
    }
  }

  /** @throws EtcdError when the answer is not 200; what fetch throws when there is none */
  private async post(path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const { endpoints } = this.options;
    let response: Response;
    try {
      response = await fetch(`${endpoints[this.current]}/v3/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        signal,
      });
    } catch (error) {
      this.current = (this.current + 1) % endpoints.length;
      throw error;
    }
    if (response.ok) return response;
    const { message, code } = parse(failure, await response.text());
    const isPassing = response.status >= 500 ? passingCodes.has(code) || code === undefined : false;
    if (isPassing) this.current = (this.current + 1) % endpoints.length;
    throw new EtcdError(isPassing ? 'unavailable' : 'refused', message);
  }
}

async function* linesOf(response: Response): AsyncGenerator<string, void, undefined> {
  if (response.body === null) return;
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') yield line;
  }
}

function parse<T>(schema: z.ZodType<T>, json: string): T {
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    throw new EtcdError(
      'unexpected',
      `this is not the answer of etcd 3.4 or later: ${json.slice(0, 200)}`,
      cause,
    );
  }
}

function asEtcdError(cause: unknown, what: string): EtcdError {
  if (cause instanceof EtcdError) return cause;
  const { cause: deeper } = cause as { cause?: unknown };
  const reason = [cause, deeper].filter((error) => error instanceof Error).map((error) => error.message);
  return new EtcdError('unavailable', `${what}: ${reason.join(': ')}`, cause);
}

/** Nobody took the connection. */
function neverArrived(cause: unknown): boolean {
  const code = (cause as { cause?: { code?: unknown } } | undefined)?.cause?.code;
  return code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' || code === 'ENOTFOUND';
}

const encode = (plain: string): string => Buffer.from(plain).toString('base64');

/** The first key after all that begin with this one. */
function encodeEnd(prefix: string): string {
  const bytes = Buffer.from(prefix);
  bytes[bytes.length - 1]!++;
  return bytes.toString('base64');
}
