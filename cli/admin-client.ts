// SPDX-License-Identifier: Apache-2.0
/** Talks to a running controller. */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import type {
  AppliedResult,
  ChangeResult,
  ControllerStatus,
  DriftAction,
  LogLine,
  PlanResult,
} from '../controller/adapters/http/admin.ts';
import type { AdminError } from '../controller/adapters/http/answers.ts';
import { foundToken } from '../controller/adapters/http/token.ts';
import type { Edit } from '../controller/config/edit.ts';
import { formatProblem } from '../controller/config/problem.ts';
import type { Explanation } from '../controller/core/explain.ts';
import type { WhyBackend } from '../controller/core/why-backend.ts';
import type { DriftReport } from '../controller/ports/switch.ts';
import { CommandError, exitCodes } from './exit-code.ts';

export type Changed = Extract<ChangeResult, { isChanged: boolean }>;

export interface FlowText {
  source: string;
  target: string;
  protocol: 'tcp' | 'udp';
}

/** How a command finds its controller, and shows that it may change something. */
export interface ClientOptions {
  controller: string;
  /** Undefined: that which the controller has left on this machine, if it has. */
  token?: string | undefined;
  /** PEM files: whom to believe, and who we are. */
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

const timeoutMs = 10_000;
/** Of what the controller has to work for. */
const longTimeoutMs = 120_000;
/** More than the status of the largest network. */
const answerBytesMax = 64 * 1024 * 1024;

export class AdminClient {
  private readonly url: URL;
  private readonly token: () => string | undefined;
  private readonly tls: RequestOptions & { ca?: Buffer; cert?: Buffer; key?: Buffer };

  /** @throws CommandError when the address is not one, or a file cannot be read */
  constructor({ controller, token, ca, cert, key }: ClientOptions, env: Env = {}) {
    const spelled = controller.includes('://') ? controller : `http://${controller}`;
    if (!URL.canParse(spelled) || !spelled.startsWith('http'))
      throw new CommandError(
        exitCodes.usage,
        `'${controller}' is not the address of a controller; expected something like 127.0.0.1:9580`,
      );
    this.url = new URL(spelled);
    this.token = () => token ?? foundToken(this.url, env);
    this.tls = {
      ...(ca !== undefined && { ca: readPem(ca) }),
      ...(cert !== undefined && { cert: readPem(cert), key: readPem(key ?? cert) }),
    };
  }

  status(): Promise<ControllerStatus> {
    return this.call('GET', '/status');
  }

  explain({ source, target, protocol }: FlowText): Promise<Explanation> {
    return this.call('GET', `/explain?${new URLSearchParams({ source, target, protocol })}`);
  }

  why(vip: string, backend: string): Promise<WhyBackend> {
    return this.call('GET', `/why?${new URLSearchParams({ vip, backend })}`);
  }

  events(after: number): Promise<LogLine[]> {
    return this.call('GET', `/events?after=${after}`);
  }

  /**
   * All that are remembered, then each as it comes, until the controller ends or `stop`.
   *
   * @param lastId  of the last one that was heard: those after it. Those of a controller that was started anew all come.
   */
  async *eventStream(
    stop: AbortSignal,
    lastId?: string,
  ): AsyncGenerator<{ line: LogLine; id: string | undefined }> {
    const headers = { accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) };
    const response = await this.send('GET', '/events', headers, undefined, stop);
    if (response.statusCode !== 200)
      throw this.refused(
        (await jsonOf(response)) as Partial<AdminError> | undefined,
        response.statusCode ?? 0,
      );
    let line: LogLine | undefined;
    try {
      for await (const text of createInterface({ input: response })) {
        if (text.startsWith('data: ')) line = JSON.parse(text.slice('data: '.length)) as LogLine;
        else if (text.startsWith('id: ') && line !== undefined) yield { line, id: text.slice('id: '.length) };
      }
    } catch (error) {
      // A stream that breaks off has ended; who wants more asks again.
      if (!stop.aborted && (error as { code?: string }).code !== 'ECONNRESET') throw error;
    }
  }

  edit(edit: Edit): Promise<Changed> {
    return this.call('POST', '/edit', edit);
  }

  reload(): Promise<Changed> {
    return this.call('POST', '/reload', {});
  }

  plan(text: string): Promise<PlanResult> {
    return this.call('POST', '/plan', { text }, longTimeoutMs);
  }

  /** A plan that nobody has rehearsed. */
  compare(text: string): Promise<PlanResult> {
    return this.call('POST', '/plan', { text, rehearse: false });
  }

  apply(text: string, basis: string | undefined): Promise<AppliedResult> {
    return this.call('POST', '/apply', { text, basis });
  }

  /** @param name  of a switch; undefined: all of them */
  drift(action: DriftAction, name: string | undefined): Promise<DriftReport[]> {
    return this.call('POST', '/drift', { do: action, switch: name }, longTimeoutMs);
  }

  private async call<T>(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    patienceMs = timeoutMs,
  ): Promise<T> {
    const token = method === 'POST' ? this.token() : undefined;
    const headers = {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.send(method, path, headers, text, AbortSignal.timeout(patienceMs));
    const answer = await jsonOf(response);
    if (response.statusCode === 200 && answer !== undefined) return answer as T;
    throw this.refused(answer as Partial<AdminError> | undefined, response.statusCode ?? 0);
  }

  /** Resolves once there are headers. */
  private send(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const request = this.url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const url = new URL(`/api/v1${path}`, this.url);
      // A connection that is kept would keep the command from ending.
      const options = { ...this.tls, method, headers, signal, agent: false };
      request(url, options, resolve)
        .on('error', (error) => reject(this.unreachable(error)))
        .end(body);
    });
  }

  private unreachable(error: Error & { code?: string }): CommandError {
    const reason = error.code ?? error.message;
    return new CommandError(
      exitCodes.unreachable,
      `no controller answers at ${this.url.origin} (${reason})\n` +
        'Is it running? --controller or EVENKEEL_CONTROLLER says where it is.',
    );
  }

  private refused(answer: Partial<AdminError> | undefined, status: number): CommandError {
    if (answer?.error === undefined)
      return new CommandError(
        exitCodes.failed,
        `${this.url.origin} is not an evenkeel controller (HTTP ${status})`,
      );
    const { code, where, wrong, right, problems } = answer.error;
    const details = problems.map((problem) => `  ${formatProblem(problem, 'line')}`);
    const place = where === undefined || where.startsWith('header.') ? '' : `${where}: `;
    const message =
      details.length === 0 ? `${place}${wrong}; expected ${right}` : [`${wrong}:`, ...details].join('\n');
    return new CommandError(code === 'invalid' ? exitCodes.badConfig : exitCodes.failed, message);
  }
}

/** @returns undefined when it is none */
async function jsonOf(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${path} cannot be read: ${(error as Error).message}`);
  }
}
