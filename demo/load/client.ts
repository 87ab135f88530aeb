// SPDX-License-Identifier: Apache-2.0
/** The host of the users: `client.js ADDRESS PORT OPTIONS`, options as JSON (sim/load/users.ts). */
import { diceOf } from '../../sim/kernel/dice.ts';
import type { UsersOptions } from '../../sim/load/users.ts';
import { reportToParent, takeCommands } from '../host-process.ts';
import { dialSocket } from '../socket-stream.ts';
import type { ClientCommand, ClientReport } from './message.ts';
import { Users } from './users.ts';

const summaryMs = 500;
/** More than these are counted, not described. */
const describedMax = 100;

const [address, port, text] = process.argv.slice(2) as [string, string, string];
const options = JSON.parse(text) as UsersOptions;
let described = 0;
const users = new Users(
  options,
  dialSocket(address, Number(port)),
  diceOf(options.seed, 'users'),
  () => performance.now(),
  (broken) => {
    if (++described <= describedMax) say({ kind: 'broken', broken });
  },
);

function say(report: ClientReport): void {
  reportToParent(report);
}

setInterval(() => say({ kind: 'summary', summary: users.summary() }), summaryMs);
takeCommands<ClientCommand>((command) => {
  if (command.kind === 'lap') say({ kind: 'lap', label: command.label, latencies: users.lap() });
  else users.stop();
});
say({ kind: 'ready' });
