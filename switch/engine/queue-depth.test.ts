// SPDX-License-Identifier: Apache-2.0
/** What a program sees of the packets that wait for a link. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type Tier } from './compile.ts';

/** @returns what leaves for a packet, and the ports whose queue was asked for */
function sent(tier: Tier, program: string, hex: string, depth?: number): { out: string; asked: number[] } {
  const asked: number[] = [];
  let out = '';
  const queueDepth = (port: number) => {
    asked.push(port);
    return depth!;
  };
  const { pipeline } = compile(
    JSON.parse(readFileSync(new URL(`testdata/${program}.json`, import.meta.url), 'utf8')),
    {
      dropPort: 511,
      tier,
      queueDepth: depth === undefined ? undefined : queueDepth,
      sink: {
        transmit: (_, frame) => (out = Buffer.from(frame).toString('hex')),
        digest: () => {},
        diagnostic: () => {},
      },
    },
  );
  pipeline.process(0, Buffer.from(hex, 'hex'), 1_000_000);
  return { out, asked };
}

for (const tier of ['compiled', 'interpreted'] as const) {
  describe(`enq_qdepth, ${tier}`, () => {
    it('is the depth of the queue a packet leaves through', () => {
      const { out, asked } = sent(tier, 'constructs', '66000000', 0x1234);
      expect(out).toBe('66001234');
      expect(asked).toHaveLength(1);
    });

    it('stays at the largest number of 19 bits', () => {
      expect(sent(tier, 'constructs', '67000000', 2 ** 19 - 1).out).toBe('6700ffff');
      expect(sent(tier, 'constructs', '67000000', 2 ** 19).out).toBe('6700ffff');
      expect(sent(tier, 'constructs', '67000000', 2 ** 19 - 9).out).toBe('6700fffe');
    });

    it('is 0 where nobody knows', () => {
      expect(sent(tier, 'constructs', '66000000').out).toBe('66000000');
    });

    it('is all that is known: what is left behind, and how long it took, stay 0', () => {
      expect(sent(tier, 'constructs', '68000000', 7).out).toBe('68000000');
    });

    it('is not asked for when the program does not read it', () => {
      const { out, asked } = sent(tier, 'removed', '01000000000000000000', 7);
      expect(out).not.toBe('');
      expect(asked).toEqual([]);
    });
  });
}
