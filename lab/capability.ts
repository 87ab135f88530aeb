// SPDX-License-Identifier: Apache-2.0
/**
 * Whether this process may have network namespaces, found out by trying, and how to get there without being root:
 * the program starts itself again in a user namespace in which it is.
 */

import { spawnSync } from 'node:child_process';
import { continueAs, ownCommand } from './child.ts';
import { LabError } from './error.ts';

/**
 * 'root': build a lab right here. 'unshare': call `enterLab` first. `unavailable`: neither, and why, in one sentence
 * that says what would help.
 */
export type LabCapability = 'root' | 'unshare' | { unavailable: string };

const probeTimeoutMs = 30_000;
const isInsideVariable = 'EVENKEEL_IN_LAB';

/** A veth pair between two namespaces, which is all that the lab needs of the system. */
const probe =
  'a=ek-$$-probe-a b=ek-$$-probe-b; ' +
  'trap "ip netns del $a; ip netns del $b" EXIT; ' +
  'ip netns add $a && ip netns add $b && ip -n $a link add probe type veth peer name probe netns $b && ' +
  'nsenter --net=/var/run/netns/$a -- true';

/** `ip netns` keeps its names under /run, where an ordinary user may not write: this namespace gets one of its own. */
const ownRunDirectory =
  'if [ -d /run/netns ]; then mount -t tmpfs tmpfs /run/netns; ' +
  'else mount -t tmpfs tmpfs /run && mkdir /run/netns; fi && ip link set lo up';

const unshareArguments = ['--user', '--map-root-user', '--net', '--mount', '--'];

/** Takes some 50 ms, and leaves nothing behind. */
export function labCapability(): LabCapability {
  if (process.platform !== 'linux') {
    return { unavailable: `network namespaces need Linux, this is ${process.platform}` };
  }
  for (const [program, packageName] of [
    ['ip', 'iproute2'],
    ['nsenter', 'util-linux'],
    ['unshare', 'util-linux'],
  ] as const) {
    if (spawnSync(program, ['-V'], { timeout: probeTimeoutMs }).error !== undefined) {
      return { unavailable: `'${program}' was not found; install ${packageName}` };
    }
  }
  const here = attempt('sh', ['-c', probe]);
  if (here === undefined) return 'root';
  const unshared = attempt('unshare', [
    ...unshareArguments,
    'sh',
    '-c',
    `${ownRunDirectory} && { ${probe}; }`,
  ]);
  if (unshared === undefined) return 'unshare';
  return {
    unavailable:
      `no network namespaces, neither as this user (${here}) nor in a user namespace (${unshared}); ` +
      'run as root, in a container with --privileged, or allow user namespaces ' +
      '(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0)',
  };
}

/** @returns undefined on success, else what the command complained about first */
function attempt(program: string, parameters: string[]): string | undefined {
  const result = spawnSync(program, parameters, { encoding: 'utf8', timeout: probeTimeoutMs });
  if (result.status === 0) return undefined;
  const complaint = result.stderr.trim().split('\n')[0];
  return complaint || result.error?.message || `exit status ${result.status}`;
}

/** For tests, which cannot start themselves again. @returns why they must skip, or undefined when a lab can be built */
export function whyNoLab(): string | undefined {
  const capability = labCapability();
  if (capability === 'root') return undefined;
  if (capability === 'unshare') {
    const words = unshareCommand(['npm', 'test']).map((word) => (/^[\w-]+$/.test(word) ? word : `'${word}'`));
    return `run as root, or: ${words.join(' ')}`;
  }
  return capability.unavailable;
}

/** The command that runs `argv` as root of a user namespace with its own network: what `enterLab` does to this program. */
export function unshareCommand(argv: readonly string[]): string[] {
  return ['unshare', ...unshareArguments, 'sh', '-c', `${ownRunDirectory} && exec "$@"`, 'sh', ...argv];
}

/**
 * Returns at once where a lab can be built. Otherwise starts this program again, with its arguments, in a user namespace
 * where it can, hands signals on to it, and exits as it does. Call it first thing in a program.
 *
 * @throws LabError 'unavailable'
 */
export async function enterLab(): Promise<void> {
  const capability = labCapability();
  if (capability === 'root') return;
  if (capability !== 'unshare') throw new LabError('unavailable', capability.unavailable);
  if (process.env[isInsideVariable] !== undefined) {
    throw new LabError(
      'unavailable',
      'inside a user namespace, and still not permitted to use network namespaces',
    );
  }
  // unshare and sh replace themselves, so the child is the program itself and gets the signals.
  await continueAs(unshareCommand(ownCommand()), isInsideVariable);
}
