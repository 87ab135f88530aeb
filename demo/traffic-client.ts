// SPDX-License-Identifier: Apache-2.0
/**
 * The client host's process: `traffic-client.js ADDRESS PORT OPTIONS`, options as JSON (`TrafficOptions`). Lines on stdin
 * command, JSON lines on stdout report (host-process.ts has both).
 */

import { reportToParent, takeCommands } from './host-process.ts';
import { dialSocket } from './socket-stream.ts';
import { startTraffic, type TrafficOptions } from './traffic.ts';

/** More broken connections than this are counted, not described: a report must not drown its reader. */
const describedMax = 1_000;
const summaryMs = 250;

const [address, port, options] = process.argv.slice(2) as [string, string, string];
let described = 0;

const traffic = startTraffic(
  JSON.parse(options) as TrafficOptions,
  dialSocket(address, Number(port)),
  Date.now,
  (broken) => {
    if (++described <= describedMax) reportToParent({ kind: 'broken', broken });
  },
);
setInterval(() => reportToParent({ kind: 'summary', summary: traffic.summary() }), summaryMs);

takeCommands((command) => {
  if (command.kind === 'calm') traffic.calm();
  if (command.kind === 'stop') {
    void traffic.stop().then(() => {
      reportToParent({ kind: 'summary', summary: traffic.summary() });
      process.exit(0);
    });
  }
});
reportToParent({ kind: 'ready' });
