// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Update_Type } from './generated/p4/v1/p4runtime_pb.ts';
import { setMeter } from './meters.ts';
import { P4InfoIndex, parseP4Info } from './p4info.ts';

const file = new URL('../switch/engine/testdata/meters.p4info.txtpb', import.meta.url);
const index = new P4InfoIndex(parseP4Info(readFileSync(file), 'meters.p4info.txtpb'));
const meter = index.p4info.meters[0]!;
const name = meter.preamble!.alias;
const rates = { committedRate: 10, committedBurst: 2, peakRate: 20, peakBurst: 4 };

describe('a meter', () => {
  it('is set a cell at a time', () => {
    const { type, entity } = setMeter(index, name, 1, rates);
    expect(type).toBe(Update_Type.MODIFY);
    expect(entity?.entity).toMatchObject({
      case: 'meterEntry',
      value: {
        meterId: meter.preamble!.id,
        index: { index: 1n },
        config: { cir: 10n, cburst: 2n, pir: 20n, pburst: 4n },
      },
    });
  });

  it('without rates is as the program left it', () => {
    const { entity } = setMeter(index, name, 0, undefined).entity!;
    expect(entity.case === 'meterEntry' && entity.value.config).toBeUndefined();
  });

  it.each<[what: string, name: string, cell: number, rate: number]>([
    ['another name', 'nobody', 0, 1],
    ['a cell beyond the last', name, Number(meter.size), 1],
    ['a cell before the first', name, -1, 1],
    ['a rate that is no whole number', name, 0, 1.5],
    ['a rate below nothing', name, 0, -1],
  ])('is not set for %s', (_, which, cell, committedRate) => {
    expect(() => setMeter(index, which, cell, { ...rates, committedRate })).toThrow();
  });
});
