// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { LinkWatch } from './link-watch.ts';

it('says which ports are up, and tells of changes', () => {
  const states = new Map([
    ['a0', 'up'],
    ['b0', 'lowerlayerdown'],
    ['lo', 'unknown'],
  ]);
  const changes: number[] = [];
  const watch = new LinkWatch({
    interfaces: [
      { port: 1, interfaceName: 'a0' },
      { port: 2, interfaceName: 'b0' },
      { port: 3, interfaceName: 'lo' },
      { port: 4, interfaceName: 'gone' },
      { port: 5, interfaceName: 'b0', namespace: 'elsewhere' },
    ],
    onChange: (port) => changes.push(port),
    readState: (name) => states.get(name),
  });
  try {
    expect([1, 2, 3, 4, 5, 6].map((port) => watch.isUp(port))).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
    ]);
    watch.poll();
    expect(changes).toEqual([]);
    states.set('a0', 'down').set('b0', 'up');
    watch.poll();
    expect(changes).toEqual([1, 2]);
    expect([1, 2].map((port) => watch.isUp(port))).toEqual([false, true]);
  } finally {
    watch.close();
  }
});
