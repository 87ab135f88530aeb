// SPDX-License-Identifier: Apache-2.0
/**
 * BIRD 2, by a file that its configuration includes and by its control socket: the file is written anew and BIRD told to
 * read it. A BIRD that starts anew reads the file by itself.
 *
 *   include "/etc/bird/evenkeel*.conf";     # in bird.conf: the star forgives that there is none yet
 *
 * The file has two protocols, evenkeel_ipv4 and evenkeel_ipv6, with a static route to each vip; what becomes of the routes
 * (to whom they are exported, with which next hop) is for the rest of bird.conf to say.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Address } from '../../core/desired.ts';
import { prefixOf, type Speaker, SpeakerError } from './speaker.ts';

export interface BirdOptions {
  file: string;
  control: string;
  /** For the whole conversation. */
  timeoutMs?: number;
}

const timeoutMsDefault = 5_000;
const replyBytesMax = 65_536;
const readable = 0o644;
/** 0003 done, 0004 in progress, 0005 queued behind another one (BIRD's sources, doc/reply_codes). */
const reconfigured: ReadonlySet<string> = new Set(['0003', '0004', '0005']);

export class Bird implements Speaker {
  readonly name = 'BIRD';
  private readonly options: Required<BirdOptions>;
  /** The text that BIRD has read at our request. */
  private configured: string | undefined;

  constructor(options: BirdOptions) {
    this.options = { timeoutMs: timeoutMsDefault, ...options };
  }

  async apply(addresses: readonly Address[]): Promise<{ isNews: boolean }> {
    const text = birdFile(addresses);
    const isWritten = await this.write(text);
    if (!isWritten && this.configured === text) {
      await this.ask('show status');
      return { isNews: false };
    }
    this.configured = undefined;
    const reply = await this.ask('configure');
    if (!reconfigured.has(reply.code)) throw new SpeakerError('refused', `BIRD says: ${reply.text}`);
    this.configured = text;
    return { isNews: true };
  }

  /** @returns whether it had to */
  private async write(text: string): Promise<boolean> {
    const { file } = this.options;
    const before = await readFile(file, 'utf8').catch(() => undefined);
    if (before === text) return false;
    // A name that no pattern of an include fits.
    const temporary = join(dirname(file), `.${basename(file)}.new`);
    try {
      const handle = await open(temporary, 'w', readable);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (cause) {
      throw new SpeakerError('unwritable', `${file} cannot be written: ${(cause as Error).message}`, cause);
    }
    return true;
  }

  /** One command, and the last line of its answer. Every line begins with four digits and, before the last, a dash. */
  private ask(command: string): Promise<{ code: string; text: string }> {
    const { control, timeoutMs } = this.options;
    return new Promise((resolve, reject) => {
      const socket = connect(control);
      const fail = (why: string, cause?: unknown) => {
        socket.destroy();
        reject(new SpeakerError('unreachable', `BIRD at ${control}: ${why}`, cause));
      };
      let isGreeted = false;
      let received = '';
      socket.setEncoding('utf8');
      socket.setTimeout(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
      socket.on('error', (error) => fail(error.message, error));
      socket.on('close', () => fail('it hung up'));
      socket.on('data', (piece: string) => {
        received += piece;
        if (received.length > replyBytesMax) fail('an answer without end');
        for (let end = received.indexOf('\n'); end >= 0; end = received.indexOf('\n')) {
          const [, code, text = ''] = /^(\d{4}) (.*)$/.exec(received.slice(0, end)) ?? [];
          received = received.slice(end + 1);
          if (code === undefined) continue;
          if (!isGreeted) {
            isGreeted = true;
            socket.write(`${command}\n`);
            continue;
          }
          resolve({ code, text });
          socket.destroy();
          return;
        }
      });
    });
  }
}

/** What BIRD is to read. The order of the addresses makes no difference. */
export function birdFile(addresses: readonly Address[]): string {
  const prefixes = addresses.map(prefixOf).sort();
  const protocol = (family: 'ipv4' | 'ipv6') => {
    const own = prefixes.filter((prefix) => prefix.includes(':') === (family === 'ipv6'));
    // Where BIRD fills the kernel's table too, the kernel is not to answer for a vip.
    const routes = own.map((prefix) => `  route ${prefix} blackhole;\n`);
    return `protocol static evenkeel_${family} {\n  ${family};\n${routes.join('')}}\n`;
  };
  return `# Written by evenkeel, and overwritten by it.\n${protocol('ipv4')}${protocol('ipv6')}`;
}
