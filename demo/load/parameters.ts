// SPDX-License-Identifier: Apache-2.0
/** What the experiment and its simulation have in common. */
import { type LoadOptions, loadDefaults } from '../../controller/core/load-weights.ts';
import type { UsersOptions } from '../../sim/load/users.ts';

/** Of s1 to s4: Souckova's servers. */
export const cpusOfServers = [1, 2, 4, 8] as const;
/** Time constant of the load that servers tell. */
export const toldOverMs = 5_000;
/** What is asked for, of all CPUs. With equal weights that is 1.9 times what the smallest server has. */
const utilisation = 0.5;
/** Ten seconds stand for what takes minutes elsewhere, so that a run takes minutes and not hours. */
const meanLifeMs = 10_000;
const pauseMs = { min: 500, max: 1_500 };

export const slots = 4_096;
/** `lag`: the mean life, and the age of readings. All else is as it ships. */
export const loadOptions: Readonly<LoadOptions> = { ...loadDefaults, lagMs: meanLifeMs + 15_000 };

export function usersOf(connections: number, seed: number): UsersOptions {
  const allCpus = cpusOfServers.reduce((sum, count) => sum + count, 0);
  const pauseMeanMs = (pauseMs.min + pauseMs.max) / 2;
  return {
    seed,
    connections,
    meanLifeMs,
    pauseMs,
    meanCostMs: (utilisation * allCpus * pauseMeanMs) / connections,
  };
}
