// SPDX-License-Identifier: Apache-2.0
/** Talks to a running controller. */
import type { ChangeResult, ControllerStatus, LogLine } from '../controller/adapters/http/admin.ts';
import type { AdminError } from '../controller/adapters/http/admin-server.ts';
import type { Edit } from '../controller/config/edit.ts';
import { formatProblem } from '../controller/config/problem.ts';
import type { Explanation } from '../controller/core/explain.ts';
import { CommandError, exitCodes } from './exit-code.ts';

export type Changed = Extract<ChangeResult, { isChanged: boolean }>;

export interface FlowText {
  source: string;
  target: string;
  protocol: 'tcp' | 'udp';
}

const timeoutMs = 10_000;

export class AdminClient {
  private readonly url: URL;

  /** @throws CommandError when the address is not one */
  constructor(url: string) {
    const spelled = url.includes('://') ? url : `http://${url}`;
    if (!URL.canParse(spelled) || !spelled.startsWith('http'))
      throw new CommandError(
        exitCodes.usage,
        `'${url}' is not the address of a controller; expected something like 127.0.0.1:9580`,
      );
    this.url = new URL(spelled);
  }

  status(): Promise<ControllerStatus> {
    return this.call('GET', '/status');
  }

  explain({ source, target, protocol }: FlowText): Promise<Explanation> {
    return this.call('GET', `/explain?${new URLSearchParams({ source, target, protocol })}`);
  }

  events(after: number): Promise<LogLine[]> {
    return this.call('GET', `/events?after=${after}`);
  }

  edit(edit: Edit): Promise<Changed> {
    return this.call('POST', '/edit', edit);
  }

  reload(): Promise<Changed> {
    return this.call('POST', '/reload', {});
  }

  private async call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
    const init = {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    };
    const response = await fetch(new URL(path, this.url), init).catch((error: unknown) => {
      throw this.unreachable(error);
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok && answer !== undefined) return answer as T;
    throw this.refused(answer as Partial<AdminError> | undefined, response.status);
  }

  private unreachable(error: unknown): CommandError {
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const reason = cause?.code ?? cause?.message ?? (error as Error).message;
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
    const { code, wrong, right, problems } = answer.error;
    const details = problems.map((problem) => `  ${formatProblem(problem, 'line')}`);
    const message = [details.length === 0 ? `${wrong}; expected ${right}` : `${wrong}:`, ...details].join(
      '\n',
    );
    return new CommandError(code === 'invalid' ? exitCodes.badConfig : exitCodes.failed, message);
  }
}
