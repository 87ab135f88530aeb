// SPDX-License-Identifier: Apache-2.0
/**
 * FRR, by vtysh: a static route with our tag for each vip, for its staticd to hold. What becomes of them is for the rest of
 * FRR's configuration to say:
 *
 *   route-map vips permit 10 / match tag 10300          router bgp ... / redistribute static route-map vips
 *
 * The running configuration alone is changed: an FRR that starts anew has none of the routes until we look again.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Address } from '../../core/desired.ts';
import { prefixOf, type Speaker, SpeakerError } from './speaker.ts';

export interface FrrOptions {
  vtysh: string;
  pathspace?: string | undefined;
  tag: number;
  timeoutMs?: number;
}

const timeoutMsDefault = 5_000;
const outputBytesMax = 4 * 1024 * 1024;
/** Each of them is two words on a command line. */
const commandsPerCall = 500;

const run = promisify(execFile);

export class Frr implements Speaker {
  readonly name = 'FRR';
  private readonly options: FrrOptions;

  constructor(options: FrrOptions) {
    this.options = options;
  }

  async apply(addresses: readonly Address[]): Promise<{ isNews: boolean }> {
    const { tag } = this.options;
    const wanted = new Set(addresses.map(prefixOf));
    const missing = async () => {
      const installed = new Set(taggedRoutes(await this.vtysh(['show running-config staticd']), tag));
      return [
        ...[...wanted].filter((prefix) => !installed.has(prefix)).map((prefix) => route(prefix, tag)),
        ...[...installed].filter((prefix) => !wanted.has(prefix)).map((prefix) => `no ${route(prefix, tag)}`),
      ];
    };
    const commands = await missing();
    if (commands.length === 0) return { isNews: false };
    for (let at = 0; at < commands.length; at += commandsPerCall)
      await this.vtysh(['configure terminal', ...commands.slice(at, at + commandsPerCall)]);
    // vtysh hands a line to whichever daemon takes it, and is content when none does.
    const [ignored] = await missing();
    if (ignored !== undefined)
      throw new SpeakerError('refused', `FRR ignores '${ignored}'; does staticd run?`);
    return { isNews: true };
  }

  /** @throws SpeakerError also when vtysh complains and ends as if nothing were wrong, which it does */
  private async vtysh(commands: readonly string[]): Promise<string> {
    const { vtysh, pathspace, timeoutMs = timeoutMsDefault } = this.options;
    const space = pathspace === undefined ? [] : ['-N', pathspace];
    const argv = [...space, ...commands.flatMap((command) => ['-c', command])];
    let output: { stdout: string; stderr: string };
    try {
      output = await run(vtysh, argv, { timeout: timeoutMs, maxBuffer: outputBytesMax });
    } catch (cause) {
      const { message, stdout = '', stderr = '' } = cause as Error & { stdout?: string; stderr?: string };
      const complaint = complaintOf(stdout) ?? complaintOf(stderr) ?? firstLine(stderr) ?? firstLine(message);
      throw new SpeakerError('unreachable', `${vtysh}: ${complaint}`, cause);
    }
    const complaint = complaintOf(output.stdout);
    if (complaint !== undefined) throw new SpeakerError('refused', `${vtysh}: ${complaint}`);
    return output.stdout;
  }
}

/** Blackhole: the kernel is not to answer for a vip. */
function route(prefix: string, tag: number): string {
  return `${prefix.includes(':') ? 'ipv6' : 'ip'} route ${prefix} blackhole tag ${tag}`;
}

/** The targets of the static routes with this tag, in a running configuration. */
export function taggedRoutes(configuration: string, tag: number): string[] {
  const pattern = /^(?:ip|ipv6) route (\S+) (?:blackhole|Null0) tag (\d+)\s*$/gm;
  return [...configuration.matchAll(pattern)]
    .filter((match) => match[2] === String(tag))
    .map((match) => match[1]!);
}

function complaintOf(output: string): string | undefined {
  // Without a file of its own vtysh says so, and goes on.
  const lines = output.split('\n').filter((line) => !line.includes("Can't open configuration file"));
  return lines.find((line) => /^% |is not running|failed to connect/i.test(line));
}

function firstLine(text: string): string | undefined {
  return text.trim().split('\n')[0] || undefined;
}
