// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { benchPrefixChanges, benchPrefixHistories, changeNames, type PrefixBenchOptions } from './prefix.ts';
import {
  formatAtRest,
  formatChanges,
  formatHistories,
  formatTimes,
  formatWrites,
  writtenRows,
} from './prefix-report.ts';

const options: PrefixBenchOptions = { slots: 512, backendCounts: [8], historyChanges: 20 };

describe('prefix tables beside Maglev tables', () => {
  const changes = benchPrefixChanges(options);
  const of = (change: string, table: string) =>
    changes.find((result) => result.change === change && result.table === table)!;

  test('every change moves what must move, and shares are right to the slot', () => {
    expect(changes).toHaveLength(2 * changeNames.length);
    for (const { movedSlots, leastMoved, worstError } of changes) {
      expect(movedSlots).toBe(leastMoved);
      expect(worstError).toBeLessThan(1);
    }
    for (const table of ['maglev', 'prefix']) expect(of('one removed', table).movedSlots).toBe(512 / 8);
  });

  test('a Maglev table writes its row for each slot that moves, in both tables and in both ways', () => {
    const { rowsBefore, mostRows, rowsAfter, writes } = of('one removed', 'maglev');
    expect([rowsBefore, mostRows, rowsAfter]).toEqual([512, 576, 512]);
    const none = { inserted: 0, modified: 0, deleted: 0 };
    expect(writes).toEqual({
      prepare: {
        slot_version: { ...none, inserted: 64 },
        slot: { ...none, modified: 64 },
        version: none,
      },
      commit: { slot: none, slot_version: none, version: { ...none, modified: 1 } },
      merge: {
        slot_version: { ...none, deleted: 64 },
        slot: { ...none, modified: 64 },
        version: none,
      },
    });
  });

  test('a prefix table has a row for each block, and a change writes few', () => {
    const removal = of('one removed', 'prefix');
    expect(removal.rowsBefore).toBe(8);
    expect(removal.writes.commit.version.modified).toBe(1);
    expect(writtenRows(removal)).toBeLessThan(writtenRows(of('one removed', 'maglev')) / 2);
    expect(formatAtRest(changes)).toHaveLength(2 + 1);
    expect(formatChanges(changes)).toHaveLength(2 + changes.length);
    expect(formatWrites(changes)).toHaveLength(2 + changes.length);
  });

  test('histories tell how many rows there are in the end, and at most', () => {
    const histories = benchPrefixHistories(options);
    for (const { rowsAtFirst, rowsAfter, mostRows } of histories) {
      expect(rowsAtFirst).toBe(8);
      expect(rowsAfter).toBeGreaterThan(8);
      expect(mostRows).toBeGreaterThanOrEqual(rowsAfter);
    }
    expect(formatHistories(histories)).toHaveLength(2 + 2);
    expect(formatTimes(histories)).toHaveLength(2 + 2);
  });
});
