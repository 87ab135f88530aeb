// SPDX-License-Identifier: Apache-2.0
/**
 * Frames that are good but for some octets: nothing crashes, every frame is counted once, and whatever leaves has a whole IPv4
 * header. FRAMES=n asks for more or fewer.
 */
import { describe, expect, it } from 'vitest';
import { internetChecksum } from '../../wire/checksum.ts';
import { ethernetHeaderBytes, etherTypes } from '../../wire/ethernet.ts';
import { diceOf, mutant, mutantRows, startEngine } from './mutants.ts';

const frames = Number(process.env.FRAMES ?? 100_000);
const seeds = [1, 2, 3];

describe('a damaged frame', () => {
  it.each(seeds)('does no harm, seed %d', { timeout: 600_000 }, (seed) => {
    const dice = diceOf(seed);
    let sent = 0;
    const { process, counted } = startEngine(mutantRows({ kind: 'gue', outer: 'ipv6' }), (_port, frame) => {
      sent += 1;
      expectWhole(frame);
    });
    const count = Math.ceil(frames / seeds.length);
    for (let number = 0; number < count; number++) process(0, mutant(dice), number);
    const sum = (counter: string, cells: number) =>
      Array.from({ length: cells }, (_, cell) => counted(counter, cell)).reduce(
        (total, packets) => total + packets,
        0,
      );
    const dropped = sum('drops.cells', 32);
    expect([sent + dropped, dropped > 0, sent > 0]).toEqual([count, true, true]);
    // A new flow is counted even when its packet is dropped.
    expect(sum('decisions.cells', 16)).toBeGreaterThanOrEqual(sent);
    expect(sum('decisions.cells', 16)).toBeLessThanOrEqual(sent + counted('decisions.cells', 4));
  });
});

function expectWhole(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const packet = frame.subarray(ethernetHeaderBytes);
  if (view.getUint16(12) !== etherTypes.ipv4) return;
  const headerBytes = (packet[0]! & 15) * 4;
  // With options it is longer than what was parsed; its checksum follows the TTL, right or wrong.
  if (headerBytes === 20 && internetChecksum(packet.subarray(0, 20)) !== 0) {
    throw new Error(`the IPv4 header is damaged: ${Buffer.from(frame).toString('hex')}`);
  }
}
