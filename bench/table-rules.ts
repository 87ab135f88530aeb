// SPDX-License-Identifier: Apache-2.0
/** Ways to place backends in a table, ours and those of others, so that their tables can be compared. */

import { requireIpv4 } from '../controller/core/address.ts';
import { identityHash } from '../controller/core/identity-hash.ts';
import {
  maglevTable,
  NOBODY,
  permutationOf,
  turnOrder,
  type WeightedBackend,
} from '../controller/core/maglev.ts';
import { largestRemainderShares, stickyTable } from '../controller/core/sticky.ts';

/** A table and the list that its numbers point into. */
export interface Placed {
  backends: readonly WeightedBackend[];
  table: Uint16Array;
}

export interface TableRule {
  name: string;
  /** Ours has a power of two, the others the prime next to it. */
  hasPrimeSize: boolean;
  /** `before`: the table in force, for those who have regard to it. */
  place(backends: readonly WeightedBackend[], slotCount: number, before?: Placed): Placed;
}

export const pure: TableRule = {
  name: 'evenkeel, pure',
  hasPrimeSize: false,
  place: (backends, slotCount) => ({ backends, table: maglevTable(backends, slotCount) }),
};

export const sticky: TableRule = {
  name: 'evenkeel, sticky',
  hasPrimeSize: false,
  place(backends, slotCount, before) {
    const nobody = new Uint16Array(slotCount).fill(NOBODY);
    if (before === undefined) return { backends, table: stickyTable(backends, nobody, nobody) };
    const indexOf = new Map(backends.map((backend, index) => [identityOf(backend), index]));
    const newIndex = before.backends.map((backend) => indexOf.get(identityOf(backend)) ?? NOBODY);
    const inForce = before.table.map((index) => (index === NOBODY ? NOBODY : newIndex[index]!));
    return { backends, table: stickyTable(backends, inForce, nobody) };
  },
};

/**
 * Not shipped, for comparison: a turn is one try. Who finds the next slot of its permutation taken has had its turn, so
 * which slot goes to whom depends on places in permutations and hardly on what others got before. Nobody takes more than its
 * share, to the slot. Otherwise as `pure`.
 */
export const oneTry: TableRule = {
  name: 'one try a turn',
  hasPrimeSize: false,
  place(backends, slotCount) {
    const turns = turnOrder(backends);
    const heaviest = Math.max(...backends.map(({ weight }) => weight));
    const permutations = backends.map((backend) => permutationOf(backend, slotCount));
    const next = Int32Array.from(permutations, ({ offset }) => offset);
    const [held, mostWilling] = [new Int32Array(backends.length), new Uint32Array(backends.length)];
    const left = largestRemainderShares(backends, turns, held, mostWilling, slotCount);
    const credits = new Float64Array(backends.length);
    const table = new Uint16Array(slotCount).fill(NOBODY);
    let order = turns.filter((index) => left[index]! > 0);
    for (let free = slotCount; ; ) {
      let isAnyoneDone = false;
      for (const index of order) {
        credits[index]! += backends[index]!.weight;
        if (credits[index]! < heaviest) continue;
        credits[index]! -= heaviest;
        const slot = next[index]!;
        next[index] = (slot + permutations[index]!.skip) & (slotCount - 1);
        if (table[slot] !== NOBODY) continue;
        table[slot] = index;
        if (--left[index]! === 0) isAnyoneDone = true;
        if (--free === 0) return { backends, table };
      }
      if (isAnyoneDone) order = order.filter((index) => left[index]! > 0);
    }
  },
};

/** Source: Eisenbud et al., "Maglev", NSDI 2016, section 3.4: a prime size, any skip, turns in the order of the list. */
export const paper: TableRule = turnsRule('Maglev (paper)', () => 1);

/**
 * Weights as IPVS takes them: divided by their common divisor, and shifted right until the largest fits the bits that the
 * kernel's configuration allows. A backend takes as many slots in one turn as that leaves, one at least.
 *
 * Source: Linux, net/netfilter/ipvs/ip_vs_mh.c: ip_vs_mh_permutate, ip_vs_mh_shift_weight. The bits are half of those of
 * the table's size: 6 for the default of 4,093 slots, 8 for 65,521.
 */
function ipvsRule(weightBits: number): TableRule {
  return turnsRule(`IPVS mh, weights of ${weightBits} bits`, (weights) => {
    const common = weights.reduce(greatestCommonDivisor);
    const shift = Math.max(0, 32 - Math.clz32(Math.max(...weights) / common) - weightBits);
    return (turn) => Math.max(1, (weights[turn]! / common) >> shift);
  });
}

export const ipvsDefault = ipvsRule(6);
export const ipvsLarge = ipvsRule(8);

/**
 * Weights as Katran takes them: in each round a backend adds its weight to a sum, and takes a slot when the sum reaches the
 * greatest weight, which is then subtracted. Ours are the same but for the order of turns and the form of a permutation.
 *
 * Source: Katran, katran/lib/MaglevHashV2.cpp.
 */
export const katran: TableRule = turnsRule('Katran V2', (weights) => {
  const greatest = Math.max(...weights);
  const sums = new Float64Array(weights.length);
  return (turn) => {
    sums[turn]! += weights[turn]!;
    if (sums[turn]! < greatest) return 0;
    sums[turn]! -= greatest;
    return 1;
  };
});

export function identityOf({ address, port }: WeightedBackend): number {
  return requireIpv4(address) * 65_536 + port;
}

/** Per slot the identity of its owner: what tables over different lists can be compared by. */
export function owners({ backends, table }: Placed): Float64Array {
  return Float64Array.from(table, (index) => (index === NOBODY ? -1 : identityOf(backends[index]!)));
}

type SlotsInTurn = (turn: number) => number;

/** @param rule  for the weights of the list: how many slots a backend of the list takes when it is its turn */
function turnsRule(name: string, rule: (weights: readonly number[]) => SlotsInTurn | number): TableRule {
  return {
    name,
    hasPrimeSize: true,
    place(backends, slotCount) {
      const listed = backends.flatMap(({ weight }, index) => (weight > 0 ? [index] : []));
      const weights = listed.map((index) => backends[index]!.weight);
      const inTurn = rule(weights);
      const next = listed.map((index) => hashOf(backends[index]!, 0x6f666673) % slotCount);
      const skip = listed.map((index) => 1 + (hashOf(backends[index]!, 0x736b6970) % (slotCount - 1)));
      const table = new Uint16Array(slotCount).fill(NOBODY);
      for (let free = slotCount; ; ) {
        for (let turn = 0; turn < listed.length; turn++) {
          for (let n = typeof inTurn === 'number' ? inTurn : inTurn(turn); n > 0; n--) {
            let slot = next[turn]!;
            while (table[slot] !== NOBODY) {
              slot += skip[turn]!;
              if (slot >= slotCount) slot -= slotCount;
            }
            table[slot] = listed[turn]!;
            next[turn] = slot;
            if (--free === 0) return { backends, table };
          }
        }
      }
    },
  };
}

function hashOf({ address, port }: WeightedBackend, seed: number): number {
  return identityHash(address, port, seed);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
