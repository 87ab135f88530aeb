// SPDX-License-Identifier: Apache-2.0
/** The speakers' own programs are replaced: BIRD by a socket that answers as it does, vtysh by a script with a file. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../core/desired.ts';
import { systemClock } from '../clock/system-clock.ts';
import { Bird, birdFile } from './bird.ts';
import { Frr, taggedRoutes } from './frr.ts';
import type { Speaker } from './speaker.ts';
import { SpeakerAnnouncer } from './speaker-announcer.ts';

const vip = 0x0a000164;
const vip6 = 0xfd000000000000000000000000000100n;

let folder: string;
beforeEach(async (context) => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-announce-'));
  // The first to be asked for comes last: announcers are closed by then, and write no more.
  context.onTestFinished(() => rm(folder, { recursive: true }));
});

/** What BIRD 2.0 says to `configure` and `show status`, and the commands that it heard. */
class FakeBird {
  readonly heard: string[] = [];
  answer = '0002-Reading configuration from bird.conf\n0003 Reconfigured\n';
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  async listen(): Promise<void> {
    const server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      // In two pieces, as a stream may come.
      socket.write('0001 BIRD 2.0.');
      setTimeout(() => socket.write('12 ready.\n'), 5);
      socket.on('data', (command) => {
        this.heard.push(String(command).trim());
        const status =
          '1000-BIRD 2.0.12\n1011-Router ID is 10.0.0.1\n Hostname is s\n0013 Daemon is up and running\n';
        if (this.answer !== '') socket.write(String(command).startsWith('configure') ? this.answer : status);
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 'bird.ctl'), resolve));
    this.server = server;
    onTestFinished(() => this.close());
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
}

describe('BIRD', () => {
  const open = (timeoutMs?: number) =>
    new Bird({
      file: join(folder, 'e.conf'),
      control: join(folder, 'bird.ctl'),
      ...(timeoutMs && { timeoutMs }),
    });
  const written = () => readFile(join(folder, 'e.conf'), 'utf8');

  it('is given a static protocol for each family', () => {
    expect(birdFile([vip + 1, vip6, vip])).toBe(
      [
        '# Written by evenkeel, and overwritten by it.',
        'protocol static evenkeel_ipv4 {',
        '  ipv4;',
        '  route 10.0.1.100/32 blackhole;',
        '  route 10.0.1.101/32 blackhole;',
        '}',
        'protocol static evenkeel_ipv6 {',
        '  ipv6;',
        '  route fd00::100/128 blackhole;',
        '}',
        '',
      ].join('\n'),
    );
  });

  it('reads what is new, and is asked no more than whether it lives otherwise', async () => {
    const bird = new FakeBird();
    await bird.listen();
    const speaker = open();
    expect(await speaker.apply([vip])).toEqual({ isNews: true });
    expect(await speaker.apply([vip])).toEqual({ isNews: false });
    expect(await speaker.apply([])).toEqual({ isNews: true });
    expect(bird.heard).toEqual(['configure', 'show status', 'configure']);
    expect(await written()).toBe(birdFile([]));
    expect(await readdir(folder)).toEqual(['bird.ctl', 'e.conf']);
  });

  it('is told again when somebody else has changed the file', async () => {
    const bird = new FakeBird();
    await bird.listen();
    const speaker = open();
    await speaker.apply([vip]);
    await writeFile(join(folder, 'e.conf'), '');
    expect(await speaker.apply([vip])).toEqual({ isNews: true });
    expect(await written()).toBe(birdFile([vip]));
  });

  it('finds its file when it starts after us', async () => {
    const speaker = open();
    await expect(speaker.apply([vip])).rejects.toMatchObject({ name: 'SpeakerError', code: 'unreachable' });
    expect(await written()).toBe(birdFile([vip]));
    const bird = new FakeBird();
    await bird.listen();
    await speaker.apply([vip]);
    expect(bird.heard).toEqual(['configure']);
  });

  it('may refuse, and is asked again', async () => {
    const bird = new FakeBird();
    await bird.listen();
    const speaker = open();
    bird.answer = '0002-Reading configuration from bird.conf\n8002 /etc/bird/bird.conf:1:10 syntax error\n';
    const refusal = { code: 'refused', message: expect.stringContaining('bird.conf:1:10 syntax error') };
    await expect(speaker.apply([vip])).rejects.toMatchObject(refusal);
    await expect(speaker.apply([vip])).rejects.toMatchObject(refusal);
    bird.answer = '0004 Reconfiguration in progress\n';
    expect(await speaker.apply([vip])).toEqual({ isNews: true });
  });

  it('may fall silent', async () => {
    const bird = new FakeBird();
    await bird.listen();
    bird.answer = '';
    await expect(open(50).apply([vip])).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('no answer within 50 ms'),
    });
  });

  it('needs a folder that we may write to', async () => {
    const speaker = new Bird({ file: join(folder, 'none', 'e.conf'), control: join(folder, 'bird.ctl') });
    await expect(speaker.apply([])).rejects.toMatchObject({ code: 'unwritable' });
  });
});

/** vtysh with a running configuration in a file; it knows the three commands that we use. */
const fakeVtysh = `#!/bin/sh
conf="$(dirname "$0")/running"
echo "$*" >> "$(dirname "$0")/heard"
[ -e "$conf" ] || { echo "% Can't open configuration file vtysh.conf" >&2; echo "Exiting: failed to connect to any daemons." >&2; exit 1; }
while [ $# -gt 0 ]; do
  case "$1" in
    -N) shift ;;
    -c) shift
      case "$1" in
        'show running-config staticd') cat "$conf" ;;
        'configure terminal') ;;
        'no ip'*|'no ipv6'*) grep -vxF "\${1#no }" "$conf" > "$conf.new"; mv "$conf.new" "$conf" ;;
        'ip route'*|'ipv6 route'*) [ -e "$(dirname "$0")/deaf" ] || echo "$1" >> "$conf" ;;
        *) echo "% Unknown command: $1"; exit 1 ;;
      esac ;;
  esac
  shift
done
`;

describe('FRR', () => {
  const own = 'ip route 10.0.1.100/32 blackhole tag 10300';
  const others = 'frr version 8.4.4\nip route 10.9.0.0/16 blackhole\nip route 10.0.1.7/32 blackhole tag 5\n';
  const running = () => readFile(join(folder, 'running'), 'utf8');
  const heard = async () => (await readFile(join(folder, 'heard'), 'utf8')).trim().split('\n');
  let speaker: Frr;

  beforeEach(async () => {
    const vtysh = join(folder, 'vtysh');
    await writeFile(vtysh, fakeVtysh);
    await chmod(vtysh, 0o755);
    await writeFile(join(folder, 'running'), others);
    speaker = new Frr({ vtysh, pathspace: 'blue', tag: 10_300 });
  });

  it('knows its own routes by their tag', () => {
    expect(taggedRoutes(`${others}${own}\nipv6 route fd00::1/128 Null0 tag 10300\n`, 10_300)).toEqual([
      '10.0.1.100/32',
      'fd00::1/128',
    ]);
  });

  it('gets and loses our routes, and keeps those of others', async () => {
    expect(await speaker.apply([vip, vip6])).toEqual({ isNews: true });
    expect(await running()).toBe(`${others}${own}\nipv6 route fd00::100/128 blackhole tag 10300\n`);
    expect(await speaker.apply([vip])).toEqual({ isNews: true });
    expect(await running()).toBe(`${others}${own}\n`);
    await rm(join(folder, 'heard'));
    expect(await speaker.apply([vip])).toEqual({ isNews: false });
    expect(await heard()).toEqual(['-N blue -c show running-config staticd']);
  });

  it('is told again when it has started anew', async () => {
    await speaker.apply([vip]);
    await writeFile(join(folder, 'running'), others);
    expect(await speaker.apply([vip])).toEqual({ isNews: true });
    expect(await running()).toBe(`${others}${own}\n`);
  });

  it('may not run', async () => {
    await rm(join(folder, 'running'));
    await expect(speaker.apply([vip])).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('failed to connect to any daemons'),
    });
    await expect(new Frr({ vtysh: join(folder, 'none'), tag: 1 }).apply([])).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('ENOENT'),
    });
  });

  it('may take a route and forget it', async () => {
    await writeFile(join(folder, 'deaf'), '');
    await expect(speaker.apply([vip])).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(`ignores '${own}'`),
    });
  });
});

describe('an announcer', () => {
  /** A speaker that takes as long as it is told to, and can fail. */
  class FakeSpeaker implements Speaker {
    readonly name = 'fake';
    readonly applied: Address[][] = [];
    says: Address[] | undefined;
    problem: string | undefined;
    gate: Promise<void> = Promise.resolve();

    async apply(addresses: readonly Address[]): Promise<{ isNews: boolean }> {
      this.applied.push([...addresses]);
      await this.gate;
      if (this.problem !== undefined) throw new Error(this.problem);
      const isNews = String(this.says) !== String(addresses);
      this.says = [...addresses];
      return { isNews };
    }
  }

  function start() {
    const speaker = new FakeSpeaker();
    const logged: string[] = [];
    const log = (_: string, message: string) => void logged.push(message);
    const announcer = new SpeakerAnnouncer(
      speaker,
      { clock: systemClock, log },
      { recheckMs: 10, retryMs: 5 },
    );
    onTestFinished(() => announcer.close());
    return { speaker, announcer, logged };
  }
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
  };

  it('says nothing before it is told', async () => {
    const { speaker, announcer } = start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(speaker.applied).toEqual([]);
    expect(announcer.status()).toEqual({ speaker: 'fake', announced: undefined, problem: undefined });
  });

  it('says the last that it was told, without overlapping', async () => {
    const { speaker, announcer } = start();
    let open = () => {};
    speaker.gate = new Promise((resolve) => {
      open = resolve;
    });
    announcer.announce([1]);
    announcer.announce([1, 2]);
    announcer.announce([vip]);
    expect(speaker.applied).toEqual([[1]]);
    open();
    await until(() => speaker.says?.[0] === vip);
    expect(speaker.applied.slice(0, 2)).toEqual([[1], [vip]]);
    await until(() => announcer.status().announced?.[0] === '10.0.1.100/32');
  });

  it('tries again until the speaker is there', async () => {
    const { speaker, announcer, logged } = start();
    speaker.problem = 'not there';
    announcer.announce([vip]);
    await until(() => speaker.applied.length >= 3);
    expect(announcer.status()).toMatchObject({ announced: undefined, problem: 'not there' });
    speaker.problem = undefined;
    await until(() => announcer.status().announced !== undefined);
    expect(announcer.status()).toEqual({ speaker: 'fake', announced: ['10.0.1.100/32'], problem: undefined });
    expect(logged).toEqual([
      'vips cannot be announced or withdrawn: not there',
      'announced',
      'the speaker answers again',
    ]);
  });

  it('tells a speaker that has started anew', async () => {
    const { speaker, announcer, logged } = start();
    announcer.announce([vip]);
    await until(() => announcer.status().announced !== undefined);
    speaker.says = [];
    await until(() => speaker.says?.length === 1);
    await until(() => logged.length === 2);
    expect(logged[1]).toContain('had lost');
  });

  it('is quiet after its end', async () => {
    const { speaker, announcer } = start();
    announcer.announce([vip]);
    await announcer.close();
    const { length } = speaker.applied;
    announcer.announce([]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(speaker.applied).toHaveLength(length);
    expect(speaker.says).toEqual([vip]);
  });
});
