// SPDX-License-Identifier: Apache-2.0
/** The controller as its operator sees it: a process, a configuration file, an admin API. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import type { SlotTable } from '../controller/core/desired.ts';
import type { Explanation } from '../controller/core/explain.ts';
import type { Status } from '../controller/core/status.ts';
import { client, hosts, prefixLength, serverPlaces, vip } from './layout.ts';
import { freePort, pause, programPath, startProgram, type Watched } from './programs.ts';
import type { PoolPlan } from './scenario.ts';

export interface ControllerOptions {
  switchAddress: string;
  deviceId: number;
  naive: boolean;
  slots: number;
  table: SlotTable;
  sessionTimeoutMs: number;
  rotationMs: number;
  quarantineMs: number;
  mergeMarginMs: number;
  closingTimeoutMs: number;
  /** Where the configuration file goes. */
  directory: string;
}

/** Beside the configuration file. */
const tokenFile = 'admin.token';
const requestTimeoutMs = 15_000;
const reloadAttemptsMax = 20;
const reloadPauseMs = 250;

export class ControllerProcess {
  readonly #options: ControllerOptions;
  readonly #path: string;
  readonly #listen: string;
  /** Of who may change state. */
  readonly #token = randomBytes(32).toString('hex');
  #process: Watched | undefined;

  static async create(options: ControllerOptions): Promise<ControllerProcess> {
    return new ControllerProcess(options, await freePort());
  }

  private constructor(options: ControllerOptions, port: number) {
    this.#options = options;
    this.#path = join(options.directory, 'evenkeel.yaml');
    this.#listen = `127.0.0.1:${port}`;
    mkdirSync(options.directory, { recursive: true });
    writeFileSync(join(options.directory, tokenFile), this.#token, { mode: 0o600 });
  }

  /** Writes the configuration; a running controller notices by itself. */
  configure(plan: PoolPlan): void {
    this.write({ ...configOf(this.#options), vips: [vipOf(plan, this.#options)] });
  }

  /** The same with a configuration of the caller's, but for where the admin API is. */
  write(config: DemoConfig): void {
    const temporary = `${this.#path}.new`;
    const controller = { ...config.controller, listen: this.#listen, token_file: tokenFile };
    // JSON is YAML too.
    writeFileSync(temporary, `${JSON.stringify({ ...config, controller }, null, 2)}\n`);
    renameSync(temporary, this.#path);
    void this.#reload();
  }

  /** It watches the file, too; asked, it does not wait for an editor to finish. One that is just starting is asked again. */
  async #reload(): Promise<void> {
    for (let attempt = 0; attempt < reloadAttemptsMax && this.#process !== undefined; attempt++) {
      if ((await this.#ask('POST', '/reload')) !== undefined) return;
      await pause(reloadPauseMs);
    }
  }

  start(): void {
    const naive = this.#options.naive ? ['--naive'] : [];
    const argv = [process.execPath, programPath('cli/evenkeel.js'), 'controller', '-c', this.#path, ...naive];
    this.#process = startProgram(argv);
  }

  /** kill -9. */
  async crash(): Promise<void> {
    this.#process?.child.kill('SIGKILL');
    await this.#process?.ended;
    this.#process = undefined;
  }

  /** @returns undefined when it does not answer */
  async status(): Promise<Status | undefined> {
    return (await this.fullStatus())?.engine;
  }

  async fullStatus(): Promise<ControllerStatus | undefined> {
    return this.#ask<ControllerStatus>('GET', '/status');
  }

  /** Where the controller believes a connection of our client goes. */
  async explain(sourcePort: number): Promise<Explanation | undefined> {
    const query = new URLSearchParams({
      source: `${client.address}:${sourcePort}`,
      target: `${vip.address}:${vip.port}`,
      protocol: 'tcp',
    });
    return this.#ask<Explanation>('GET', `/explain?${query}`);
  }

  /** Why it is not there although it should be; undefined when it is, or was stopped by us. */
  failure(): string | undefined {
    const ending = this.#process?.ending();
    return ending === undefined ? undefined : `the controller has ended (${ending}):\n${this.lastLines()}`;
  }

  lastLines(): string {
    return this.#process?.lines.slice(-15).join('\n') ?? '';
  }

  async stop(): Promise<void> {
    this.#process?.child.kill('SIGTERM');
    const slow = setTimeout(() => this.#process?.child.kill('SIGKILL'), 3_000);
    await this.#process?.ended;
    clearTimeout(slow);
    this.#process = undefined;
  }

  async #ask<T>(method: 'GET' | 'POST', path: string): Promise<T | undefined> {
    try {
      const response = await fetch(`http://${this.#listen}/api/v1${path}`, {
        method,
        signal: AbortSignal.timeout(requestTimeoutMs),
        ...(method === 'POST' && {
          body: '{}',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
        }),
      });
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  }
}

export interface DemoConfig {
  switch: object;
  controller: object;
  network: object;
  vips: readonly object[];
}

/** All but the vips. */
export function configOf(options: Omit<ControllerOptions, 'directory' | 'naive'>): Omit<DemoConfig, 'vips'> {
  return {
    switch: { address: options.switchAddress, device_id: options.deviceId },
    controller: {
      timers: {
        rotation: `${options.rotationMs}ms`,
        quarantine: `${options.quarantineMs}ms`,
        merge_margin: `${options.mergeMarginMs}ms`,
        stale_digest: '1s',
        closing_timeout: `${options.closingTimeoutMs}ms`,
      },
    },
    network: {
      interfaces: hosts.map(({ port, gateway, gatewayMac }) => {
        return { port, address: `${gateway}/${prefixLength}`, mac: gatewayMac };
      }),
    },
  };
}

function vipOf(plan: PoolPlan, { slots, table, sessionTimeoutMs }: ControllerOptions): object {
  return {
    name: vip.name,
    address: vip.address,
    port: vip.port,
    slots,
    table,
    session_timeout: `${sessionTimeoutMs}ms`,
    backends: serverPlaces.flatMap(({ name, address, port }) => {
      const backend = plan[name];
      return backend === undefined ? [] : [{ name, address, port, ...backend }];
    }),
  };
}
