// SPDX-License-Identifier: Apache-2.0
/** Every forwarding mode, with every pair of families inside and outside, for real clients and servers on both targets. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type L4Lab, l4Targets, startL4Lab } from './l4-lab.ts';
import { forwardingVips, hostOf, servers } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 180_000;
const names = servers.map(({ name }) => name);

describe.each(l4Targets())('%s', (_name, { program, skipped }) => {
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  let lab: L4Lab;

  beforeAll(async () => {
    if (skipped === undefined) lab = await startL4Lab(program!, { vips: forwardingVips }, 'forwarding');
  }, startTimeoutMs);
  afterAll(() => lab?.close());

  test.skipIf(skipped !== undefined).each(forwardingVips.map(({ name, address }) => [name, address]))(
    title('%s: a client of %s reaches every server'),
    async (_name, address) => {
      const seen = new Set<string>();
      for (let i = 0; i < 40 && seen.size < names.length; i++) seen.add(await curl(lab, address));
      expect([...seen].sort()).toEqual(names);
    },
    testTimeoutMs,
  );
});

async function curl(lab: L4Lab, address: string): Promise<string> {
  return lab.client.run(['curl', '-sS', '--noproxy', '*', '--max-time', '30', `http://${hostOf(address)}/`]);
}
