// SPDX-License-Identifier: Apache-2.0
/** The nodes of topo/evenkeel: switches that do not start say why, and whatever ends Mininet ends everything. */
import { describe, expect, test } from 'vitest';
import { python, runAlone, runTimeoutMs, whyNoMininet, whyNotAll } from './mininet.ts';

const reason = whyNoMininet();
const skipped = reason === undefined ? '' : ` (skipped: ${reason})`;
const anyProgram = 'p4/build/evenkeel.json';

/** A net of one switch; `net` and `switch` are there. Mininet's own packages are at work, and no host is needed. */
const script = (statements: string) => [
  python!,
  '-c',
  `
import os, signal, socket, sys
sys.path.append("topo")
from mininet.net import Mininet
from evenkeel.program import NodeError
from evenkeel.switch import Bmv2Switch, EmbeddedSwitch
net = Mininet(controller=None)
try:
${statements.replace(/^/gm, '    ')}
    net.start()
    print("started")
except NodeError as error:
    print(error)
finally:
    net.stop()
`,
];

describe.skipIf(reason !== undefined)(`nodes of Mininet${skipped}`, () => {
  test.each([
    {
      what: 'a port in use',
      statements: `
other = socket.create_server(("127.0.0.1", 9559))
net.addSwitch("s1", cls=EmbeddedSwitch, grpc_port=9559)`,
      says: /^s1: TCP port 9559 is in use.*`ss -ltnp sport = :9559` says by whom/m,
    },
    {
      what: 'a program that is none',
      statements: 'net.addSwitch("s1", cls=EmbeddedSwitch, program="/dev/null")',
      says: /^s1 ended with 1: .*evenkeel-switch-grpc\.js.*\nThe last it said:\n {2}\S/m,
    },
    {
      what: 'no BMv2',
      statements: `
os.environ["BMV2_SWITCH_EXE"] = "/nowhere/simple_switch_grpc"
net.addSwitch("s1", cls=Bmv2Switch)`,
      says: /^'\/nowhere\/simple_switch_grpc' was not found: install p4lang-bmv2, or let BMV2_SWITCH_EXE name it/m,
    },
  ])(
    'a switch says why it does not start: $what',
    async ({ statements, says }) => {
      const { output, left } = await runAlone(script(statements));
      expect(output).toMatch(says);
      expect(output).not.toContain('started');
      expect(left).toEqual([]);
    },
    runTimeoutMs,
  );

  test(
    'several switches have ports of their own, captures and logs',
    async () => {
      const { output, left } = await runAlone(
        script(`
folder = os.environ["TMPDIR"] + "/kept"
for name in ["left", "right"]:
    net.addSwitch(name, cls=EmbeddedSwitch, program="${anyProgram}", pcap=folder, log=folder)
net.addLink("left", "right")
net.start()
print(len({each.grpc_port for each in net.switches}), "ports,", sorted(os.listdir(folder)))
net.stop()
import shutil; shutil.rmtree(folder)
net = Mininet(controller=None)`),
      );
      expect(output).toMatch(
        /^2 ports, \[.*'left-eth1_in\.pcap'.*'left\.log'.*'right-eth1_in\.pcap'.*'right\.log'.*\]$/m,
      );
      expect(left).toEqual([]);
    },
    runTimeoutMs,
  );

  const endings = [
    { signal: 'INT', when: ' answered' },
    { signal: 'INT', when: 'mininet> ' },
    { signal: 'TERM', when: 'mininet> ' },
    { signal: 'KILL', when: 'mininet> ' },
  ] as const;
  for (const [index, send] of endings.entries()) {
    const notNow = index === 0 ? undefined : whyNotAll();
    const title = `nothing is left after SIG${send.signal} at '${send.when}'`;
    test.skipIf(notNow !== undefined)(
      notNow ? `${title} (skipped: ${notNow})` : title,
      async () => {
        const command = [python!, 'topo/load_balancer.py', '--cli'];
        const { output, left } = await runAlone(command, { input: 'client1 sleep 5\n', send });
        expect(output).not.toContain('Traceback');
        // Nobody is there to take away the files of one that is killed.
        const isExcused = (each: string) => send.signal === 'KILL' && each.startsWith('file ');
        expect(left.filter((each) => !isExcused(each))).toEqual([]);
      },
      runTimeoutMs,
    );
  }
});
