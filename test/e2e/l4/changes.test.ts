// SPDX-License-Identifier: Apache-2.0
/** Downloads of 10 MB go on while servers come and go under them: each arrives whole, from the server that began it. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Wish } from './config-text.ts';
import { type L4Lab, l4Targets, startL4Lab } from './l4-lab.ts';
import { forwardingVips, hostOf } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 240_000;
const fileBytes = 10_000_000;
const digestOfFile = createHash('sha256')
  .update(createHash('shake256', { outputLength: fileBytes }).update('evenkeel').digest())
  .digest('hex');
const downloadsEach = 4;
/** Made while downloads go on. */
const changesLeast = 3;
/**
 * A download takes 17 s at least, a change some seconds: nobody is served by one table alone. BMv2 on two cores drops handshakes
 * above some 5,000 packets a second; all downloads together are to stay below.
 */
const rates: Readonly<Record<string, string>> = { BMv2: '250k' };
const defaultRate = '600k';

const vips = forwardingVips.filter(({ name }) =>
  ['nat-4', 'nat-6', 'dsr-4', 'dsr-6', 'ipip-4-in-4', 'ipip-6-in-6', 'gre-6-in-4', 'gue-4-in-6'].includes(
    name,
  ),
);

/** Nobody dies, so nothing may break. */
const changes: Wish['states'][] = [
  { s3: 'draining' },
  { s2: 'absent' },
  { s1: 'draining', s3: 'absent' },
  {},
  { s1: 'absent' },
];

describe.each(l4Targets())('%s', (name, { program, skipped }) => {
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  let lab: L4Lab;
  let directory: string;

  beforeAll(async () => {
    if (skipped !== undefined) return;
    directory = mkdtempSync(join(tmpdir(), 'evenkeel-changes-'));
    lab = await startL4Lab(program!, { vips }, 'changes');
  }, startTimeoutMs);
  afterAll(async () => {
    await lab?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  test.skipIf(skipped !== undefined)(
    title('what is being downloaded arrives whole while servers come, drain and go'),
    async () => {
      let made = 0;
      const downloads = vips.flatMap(({ name: vip, address }) =>
        Array.from({ length: downloadsEach }, async (_, i) => {
          const out = join(directory, `${vip}-${i}`);
          const url = `http://${hostOf(address)}/file`;
          const pace = ['--limit-rate', rates[name] ?? defaultRate, '--max-time', '200'];
          const results: { what: string; isWhole: boolean }[] = [];
          // Where changes take longer than a download, there are more of them.
          do {
            await lab.client.run(['curl', '-sS', '--noproxy', '*', ...pace, '-o', out, url]);
            const digest = (await lab.client.run(['sha256sum', out])).slice(0, 64);
            results.push({ what: `${vip}, download ${i}`, isWhole: digest === digestOfFile });
          } while (made < changesLeast);
          return results;
        }),
      );
      let isOver = false;
      const all = Promise.all(downloads).finally(() => {
        isOver = true;
      });
      for (const states of changes) {
        if (isOver) break;
        await lab.want({ vips, states });
        made++;
      }
      const results = (await all).flat();
      expect(results.filter(({ isWhole }) => !isWhole)).toEqual([]);
      expect(results.length).toBeGreaterThanOrEqual(vips.length * downloadsEach);
      // Somebody must have been at risk: table after table was committed, and flows needed their pins.
      expect(made).toBeGreaterThanOrEqual(changesLeast);
      const { engine, switch: link } = lab.status();
      expect(engine.commits.length).toBeGreaterThan(2);
      expect(link.traffic?.decisions.pinned?.packets).toBeGreaterThan(0);
    },
    testTimeoutMs,
  );
});
