// SPDX-License-Identifier: Apache-2.0
/** What is left of a header that was removed; the expected bytes are those of simple_switch_grpc 1.15.5. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile, type Tier } from './compile.ts';

const json = JSON.parse(readFileSync(new URL('testdata/removed.json', import.meta.url), 'utf8'));

it.each<Tier>(['compiled', 'interpreted'])(
  'a removed header keeps its fields, but not for keys, nor once it is valid again: %s',
  (tier) => {
    const sent: string[] = [];
    const { pipeline } = compile(json, {
      tier,
      dropPort: 511,
      sink: {
        transmit: (port, frame) => sent.push(`${port} ${Buffer.from(frame).toString('hex')}`),
        digest: () => {},
        diagnostic: (what) => sent.push(what),
      },
    });
    for (const frame of ['770102030405ffff', '880102030405ffff']) {
      pipeline.process(1, Buffer.from(frame, 'hex'), 0);
    }
    // At once, later, by a key, after it was valid again, and the wide field.
    expect(sent).toEqual(['2 77770100' + '0102030405' + 'ffff', '2 88880100' + '0102030405' + 'ffff']);
  },
);
