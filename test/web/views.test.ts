// SPDX-License-Identifier: Apache-2.0
/** The pure parts of the dashboard, and what it believes of the controller's answers. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type { ControllerStatus, LogLine, Sample } from '../../controller/adapters/http/admin.ts';
import type { slotMapSchema } from '../../controller/adapters/http/schemas.ts';
import type { Edit } from '../../controller/config/edit.ts';
import type { EditView, EventView, SampleView, SlotMapView, StatusView } from '../../web/api.ts';
import { colourOf, inkOn, lettersOf } from '../../web/palette.ts';
import { countSlots, decode, describeSlot, layoutOf, slotAt } from '../../web/slot-map.ts';

const base64 = (bytes: number[]): string => Buffer.from(bytes).toString('base64');

const told: SlotMapView = {
  pool: 'web',
  slotCount: 6,
  backends: [
    { id: 1, name: 'a', state: 'active' },
    { id: 7, name: 'b', state: 'active' },
  ],
  bytesPerSlot: 1,
  owners: base64([1, 1, 2, 2, 0, 2]),
  bases: base64([1, 1, 1, 2, 0, 1]),
  marks: base64([0, 0, 1, 1, 0, 2]),
};

describe('the dashboard', () => {
  it('believes of the answers what they are', () => {
    expectTypeOf<ControllerStatus>().toExtend<StatusView>();
    expectTypeOf<LogLine>().toExtend<EventView>();
    expectTypeOf<Sample>().toExtend<SampleView>();
    expectTypeOf<z.output<typeof slotMapSchema>>().toExtend<SlotMapView>();
    expectTypeOf<EditView>().toExtend<Edit>();
  });

  it('says of a slot what the switch does with it', () => {
    const map = decode(told);
    expect([0, 2, 3, 4, 5].map((slot) => describeSlot(map, slot))).toEqual([
      'Slot 0: stable on a',
      'Slot 2: unstable, new connections to b, old ones to a or where they are pinned',
      'Slot 3: unstable on b',
      'Slot 4: stable on nobody',
      'Slot 5: the seat of a dead backend, served by b until another takes it',
    ]);
    expect(countSlots(map)).toEqual([
      { owned: 2, unstable: 0 },
      { owned: 3, unstable: 3 },
    ]);
  });

  it('reads maps of more than 254 backends, and none that is cut off', () => {
    const wide = { ...told, slotCount: 2, bytesPerSlot: 2, marks: base64([0, 0]) };
    const pairs = base64([0x2c, 0x01, 0xff, 0x1f]);
    expect([...decode({ ...wide, owners: pairs, bases: pairs }).owners]).toEqual([300, 8191]);
    expect(() => decode({ ...told, owners: base64([1, 2]) })).toThrow(RangeError);
  });

  it.each([2, 256, 1024, 4096, 65_536])(
    'lays out %i slots so that each is to be seen and found',
    (slotCount) => {
      for (const width of [320, 800, 1200]) {
        const layout = layoutOf(slotCount, width);
        expect(layout.cell).toBeGreaterThanOrEqual(2);
        expect(layout.columns * layout.cell).toBeLessThanOrEqual(width);
        expect(layout.columns * layout.rows).toBe(slotCount);
        const last = slotCount - 1;
        const x = ((last % layout.columns) + 0.5) * layout.cell;
        const y = (Math.floor(last / layout.columns) + 0.5) * layout.cell;
        expect(slotAt(x, y, layout)).toBe(last);
        expect(slotAt(layout.columns * layout.cell + 1, 0, layout)).toBeUndefined();
      }
    },
  );

  it('tells backends apart by letters where colours come again', () => {
    const ids = Array.from({ length: 800 }, (_, i) => i + 1);
    expect(new Set(ids.map(lettersOf)).size).toBe(800);
    expect([1, 26, 27, 703].map(lettersOf)).toEqual(['A', 'Z', 'AA', 'AAA']);
    expect(new Set(ids.slice(0, 8).map(colourOf)).size).toBe(8);
  });

  it('writes on every colour so that it can be read (4.5 to 1)', () => {
    const luminance = (colour: string): number => {
      const [r, g, b] = [1, 3, 5].map((at) => {
        const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    for (let id = 1; id <= 8; id++) {
      const [light, dark] = [luminance(colourOf(id)), luminance(inkOn(colourOf(id)))].sort((a, b) => b - a);
      expect((light! + 0.05) / (dark! + 0.05)).toBeGreaterThanOrEqual(4.5);
    }
  });
});
