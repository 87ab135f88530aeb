// SPDX-License-Identifier: Apache-2.0
/** Several controllers as their operator sees them: processes with a file each, an etcd, admin APIs; they can be killed. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import type { Edit } from '../controller/config/edit.ts';
import { hosts, prefixLength, type ServerPlace, vip } from '../demo/layout.ts';
import { freePort, programPath, startProgram, until, type Watched } from '../demo/programs.ts';

export interface ControllersOptions {
  count: number;
  etcdEndpoint: string;
  leaseMs: number;
  switches: readonly { address: string; deviceId: number }[];
  /** The backends at the start. */
  servers: readonly ServerPlace[];
  slots: number;
  sessionTimeoutMs: number;
  folder: string;
}

export interface Member {
  readonly name: string;
  readonly configPath: string;
  readonly listen: string;
  process: Watched | undefined;
}

/** Of all these controllers: who may change state. */
const token = randomBytes(32).toString('hex');
const requestTimeoutMs = 15_000;
const startMs = 60_000;

export class Controllers {
  readonly members: readonly Member[];

  static async create(options: ControllersOptions): Promise<Controllers> {
    const members: Member[] = [];
    for (let i = 0; i < options.count; i++) {
      const listen = `127.0.0.1:${await freePort()}`;
      const name = `controller ${i + 1}`;
      members.push({ name, configPath: join(options.folder, `c${i + 1}.yaml`), listen, process: undefined });
    }
    return new Controllers(options, members);
  }

  private constructor(options: ControllersOptions, members: Member[]) {
    this.members = members;
    writeFileSync(join(options.folder, 'admin.token'), token, { mode: 0o600 });
    for (const member of members) writeFileSync(member.configPath, configText(options, member.listen));
  }

  start(member: Member): void {
    const argv = [programPath('cli/evenkeel.js'), 'controller', '-c', member.configPath];
    member.process = startProgram([process.execPath, ...argv, '--log', 'text']);
  }

  /** Resolves when it says that it stands by, or leads. @throws Error when it does not */
  async whenUp(member: Member): Promise<void> {
    await until(`${member.name} is up`, startMs, async () => {
      const ending = member.process?.ending();
      if (ending !== undefined)
        throw new Error(`${member.name} has ended (${ending}):\n${this.lastLines(member)}`);
      const role = (await this.status(member))?.leadership.role;
      return role === 'leader' || role === 'standby';
    });
  }

  /** @param signal  SIGKILL: it cannot even say goodbye */
  async end(member: Member, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const ending = member.process;
    member.process = undefined;
    ending?.child.kill(signal);
    await ending?.ended;
  }

  lastLines(member: Member): string {
    return member.process?.lines.slice(-15).join('\n') ?? '';
  }

  /** @returns undefined when it does not answer */
  status(member: Member): Promise<ControllerStatus | undefined> {
    return member.process === undefined ? Promise.resolve(undefined) : ask(member, 'GET', '/status');
  }

  async leader(): Promise<{ member: Member; status: ControllerStatus } | undefined> {
    for (const member of this.members) {
      const status = await this.status(member);
      if (status?.leadership.role === 'leader') return { member, status };
    }
    return undefined;
  }

  /** @throws Error when it refuses */
  async edit(member: Member, edit: Edit): Promise<void> {
    if ((await ask(member, 'POST', '/edit', edit)) === undefined)
      throw new Error(`${member.name} refuses ${JSON.stringify(edit)}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => this.end(member, 'SIGKILL')));
  }
}

async function ask<T>(
  { listen }: Member,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<T | undefined> {
  try {
    const response = await fetch(`http://${listen}/api/v1${path}`, {
      method,
      signal: AbortSignal.timeout(requestTimeoutMs),
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      }),
    });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

/** JSON is YAML too. */
function configText(options: ControllersOptions, listen: string): string {
  const { etcdEndpoint, leaseMs, switches, servers, slots, sessionTimeoutMs } = options;
  const config = {
    switches: switches.map(({ address, deviceId }, i) => {
      return { name: `s${i + 1}`, address, device_id: deviceId };
    }),
    controller: {
      listen,
      token_file: 'admin.token',
      store: { kind: 'etcd', endpoints: [etcdEndpoint], lease: `${leaseMs}ms` },
      timers: { rotation: '2s', quarantine: '2s', merge_margin: '500ms', stale_digest: '1s' },
    },
    network: {
      interfaces: hosts.map(({ port, gateway, gatewayMac }) => {
        return { port, address: `${gateway}/${prefixLength}`, mac: gatewayMac };
      }),
    },
    vips: [
      {
        name: vip.name,
        address: vip.address,
        port: vip.port,
        slots,
        session_timeout: `${sessionTimeoutMs}ms`,
        backends: servers.map(({ name, address, port }) => ({ name, address, port })),
      },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
