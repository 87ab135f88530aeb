// SPDX-License-Identifier: Apache-2.0
/**
 * A network of its own for a program and all that it starts: it may lay routes to its hosts without the machine's knowing, and all of it is
 * gone with the program.
 */
import { enterLab } from './capability.ts';
import { continueAs, ownCommand } from './child.ts';

const isInsideVariable = 'EVENKEEL_OWN_NETWORK';

/** As `enterLab`, but never in the network that this program was started in. Call it first thing in a program. */
export async function enterOwnNetwork(): Promise<void> {
  await enterLab();
  if (process.env[isInsideVariable] !== undefined || process.env.EVENKEEL_IN_LAB !== undefined) return;
  const enter = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
  await continueAs([...enter, ...ownCommand()], isInsideVariable);
}
