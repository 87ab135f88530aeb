// SPDX-License-Identifier: Apache-2.0
/** `evenkeel trace --live` on a switch in memory that runs the load balancer. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../cli/commands.ts';
import { type RunningSwitch, startSwitch } from '../../switch/server/switch.ts';

let running: RunningSwitch;
beforeEach(async () => {
  const program = readFileSync('p4/build/evenkeel.json', 'utf8');
  running = await startSwitch({ grpcAddress: '127.0.0.1:0', program });
});
afterEach(() => running.close());

async function evenkeel(args: readonly string[], stop = new AbortController().signal, onOut = () => {}) {
  let [out, err] = ['', ''];
  const code = await run(args, {
    out: (text) => {
      out += text;
      onOut();
    },
    err: (text) => {
      err += text;
    },
    isScreen: false,
    env: {},
    stop,
    onHangup: () => {},
  });
  return { code, out, err };
}

const arp = Uint8Array.from(
  Buffer.from(readFileSync('test/trace/arp.hex', 'utf8').replace(/#.*|^0:|\s/gm, ''), 'hex'),
);

/** The watch begins when the switch has heard of it: packets come until it is over. */
async function whilePacketsPass<T>(work: Promise<T>): Promise<T> {
  const passing = setInterval(() => running.inject(3, arp), 5);
  try {
    return await work;
  } finally {
    clearInterval(passing);
  }
}

it('shows packets that fit as they pass, and stops after so many', async () => {
  const args = ['trace', '--live', running.address, '--filter', 'arp && ingress_port == 3', '--count', '2'];
  const { code, out } = await whilePacketsPass(evenkeel(args));
  expect(code).toBe(0);
  expect(out.match(/^42 bytes on port 3 at \d+ us: dropped/gm)).toHaveLength(2);
  expect(out).toContain('table own_address (address 10.0.0.254)');
});

it('shows them as lines of JSON until it is told to stop', async () => {
  const stop = new AbortController();
  const args = ['trace', '--live', running.address, '--filter', 'arp', '--json'];
  const { code, out } = await whilePacketsPass(evenkeel(args, stop.signal, () => stop.abort()));
  expect(code).toBe(0);
  expect(JSON.parse(out.split('\n')[0]!)).toMatchObject({ port: 3, parts: [{ why: 'received' }] });
});

it('points at what is wrong with a filter', async () => {
  const { code, err } = await evenkeel(['trace', '--live', running.address, '--filter', 'arp.oper == 1']);
  expect([code, err]).toEqual([
    1,
    "evenkeel: column 1: there is no field 'arp.oper'; did you mean arp.operation?\n" +
      'evenkeel:   arp.oper == 1\nevenkeel:   ^\n',
  ]);
});

it.each([
  [['--live', '127.0.0.1:1'], 'error: --live needs a --filter'],
  [['--live', '127.0.0.1:1', '--filter', 'tcp', 'x.json'], 'error: with --live there are no files'],
  [['x.json'], 'error: name a program and files of packets, or a switch with --live'],
])('has to be asked rightly: %j', async (args, message) => {
  const { code, err } = await evenkeel(['trace', ...args]);
  expect(code).toBe(2);
  expect(err).toContain(message);
});

it('says that nobody answers', async () => {
  const { code, err } = await evenkeel(['trace', '--live', '127.0.0.1:1', '--filter', 'tcp']);
  expect(code).toBe(3);
  expect(err).toContain('no switch answers at 127.0.0.1:1');
});
