// SPDX-License-Identifier: Apache-2.0
/**
 * The program that forwards between two interfaces without a pipeline, through the ports of the embedded switch: what its
 * speed would be if processing took no time.
 */

import { createDoorbell } from '../../switch/ports/doorbell.ts';
import { runLoop } from '../../switch/ports/loop.ts';
import { openPacketPorts } from '../../switch/ports/packet-socket.ts';

const [left, right] = process.argv.slice(2) as [string, string];
const doorbell = createDoorbell();
const ports = openPacketPorts(
  [
    { port: 1, interfaceName: left },
    { port: 2, interfaceName: right },
  ],
  { doorbell },
);
process.stdout.write('ready\n');
runLoop({
  ports,
  doorbell,
  onFrame: (port, frame) => ports.send(3 - port, frame),
  onControl: () => 'continue',
});
