// SPDX-License-Identifier: Apache-2.0
/** Colours, direct and indirect, by packets and by bytes. */

import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { compile } from './compile.ts';

const json = JSON.parse(readFileSync(new URL('testdata/meters.json', import.meta.url), 'utf8'));

function started() {
  let colours: number[] = [];
  const diagnostics: string[] = [];
  const { pipeline, program } = compile(json, {
    dropPort: 511,
    sink: {
      transmit: (_, frame) => {
        colours = [...frame.subarray(14, 18)];
      },
      digest: () => {},
      diagnostic: (what) => diagnostics.push(what),
    },
  });
  return {
    pipeline,
    diagnostics,
    meter: (name: string) => program.meters.find((each) => each.name === `TestIngress.${name}`)!.id,
    table: (name: string) => program.tables.find((each) => each.name === `TestIngress.${name}`)!,
    /** @returns the colours by frame, by byte, by entry and by entry in bytes; ff where nothing was written */
    send(atMicros: number, { index = 0, bytes = 18 } = {}): number[] {
      const frame = Buffer.alloc(bytes);
      Buffer.from(`0200000000aa020000000001000${index}ffffffff`, 'hex').copy(frame);
      pipeline.process(1, frame, atMicros);
      return colours;
    },
  };
}

let bench: ReturnType<typeof started>;
beforeEach(() => {
  bench = started();
});

const rates = { committedPerSecond: 10, committedBurst: 2, peakPerSecond: 20, peakBurst: 4 };

describe('a meter of packets', () => {
  const byFrame = (atMicros: number) => bench.send(atMicros, { index: 1 })[0];

  it('is green until it is configured, and green again when it no longer is', () => {
    for (let packet = 0; packet < 50; packet++) expect(byFrame(packet)).toBe(0);
    bench.pipeline.setMeter(bench.meter('frames'), 1, rates);
    expect([0, 0, 0, 0, 0].map(byFrame)).toEqual([0, 0, 1, 1, 2]);
    bench.pipeline.setMeter(bench.meter('frames'), 1, undefined);
    expect([0, 0, 0, 0, 0].map(byFrame)).toEqual([0, 0, 0, 0, 0]);
  });

  it('refills by whole tokens, up to the bursts', () => {
    bench.pipeline.setMeter(bench.meter('frames'), 1, rates);
    const start = 5_000_000;
    expect([start, start, start, start, start].map(byFrame)).toEqual([0, 0, 1, 1, 2]);
    // A peak token every 50 ms, a committed one every 100 ms.
    expect([49_999, 50_000, 50_001, 100_000, 100_001].map((after) => byFrame(start + after))).toEqual([
      2, 1, 2, 0, 2,
    ]);
    expect([1, 2, 3, 4, 5].map((extra) => byFrame(start + 10_000_000 + extra))).toEqual([0, 0, 1, 1, 2]);
  });

  it('counts only where it was asked to', () => {
    bench.pipeline.setMeter(bench.meter('frames'), 1, { ...rates, committedBurst: 0, peakBurst: 0 });
    expect(bench.send(0, { index: 1 })).toEqual([2, 0, 0xff, 0xff]);
    expect(bench.send(0, { index: 2 })).toEqual([0, 0, 0xff, 0xff]);
  });

  it('leaves the field alone outside its array, and says so', () => {
    expect(bench.send(0, { index: 5 })).toEqual([0xff, 0xff, 0xff, 0xff]);
    expect(bench.diagnostics).toHaveLength(2);
    expect(bench.diagnostics[0]).toMatch(/the meter TestIngress.frames has no such index/);
  });
});

it('a meter of bytes counts the frame as received', () => {
  bench.pipeline.setMeter(bench.meter('bytes'), 0, {
    committedPerSecond: 1000,
    committedBurst: 200,
    peakPerSecond: 2000,
    peakBurst: 300,
  });
  const byByte = (bytes: number, atMicros: number) => bench.send(atMicros, { bytes })[1];
  // Peak 300, committed 200; the red one costs nothing.
  expect([byByte(150, 0), byByte(100, 0), byByte(51, 0), byByte(50, 0)]).toEqual([0, 1, 2, 0]);
  expect([byByte(100, 49_999), byByte(100, 50_000)]).toEqual([2, 1]);
});

describe('a meter of an entry', () => {
  function enter(name: 'police' | 'police_bytes', handle: number): void {
    const { id: table, actions } = bench.table(name);
    const key =
      name === 'police'
        ? { kind: 'exact' as const, value: 0x0200000000aan }
        : { kind: 'ternary' as const, value: 0n, mask: 0n };
    const action = actions[0]!.id;
    bench.pipeline.apply([
      { kind: 'insert', table, handle, key: [key], priority: 1, action, data: [], idleTimeoutMs: 0 },
    ]);
  }

  it('colours hits before the action, each unit for itself', () => {
    enter('police', 3);
    enter('police_bytes', 0);
    bench.pipeline.setDirectMeter(bench.table('police').id, 3, rates);
    bench.pipeline.setDirectMeter(bench.table('police_bytes').id, 0, {
      ...rates,
      committedBurst: 20,
      peakBurst: 40,
    });
    expect([0, 0, 0, 0, 0].map((at) => bench.send(at).slice(2))).toEqual([
      [0, 0],
      [0, 1],
      [1, 2],
      [1, 2],
      [2, 2],
    ]);
  });

  it('goes with its entry', () => {
    enter('police', 0);
    const { id: table } = bench.table('police');
    bench.pipeline.setDirectMeter(table, 0, { ...rates, committedBurst: 0, peakBurst: 0 });
    expect(bench.send(0)[2]).toBe(2);
    bench.pipeline.apply([{ kind: 'delete', table, handle: 0 }]);
    expect(bench.send(0)[2]).toBe(0xff);
    enter('police', 0);
    expect(bench.send(0)[2]).toBe(0);
  });
});
