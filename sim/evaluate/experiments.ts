// SPDX-License-Identifier: Apache-2.0
/** All experiments, in the order of the page. */

import { balancerFailure } from './balancer-failure.ts';
import type { Experiment } from './experiment.ts';
import { flapping } from './flapping.ts';
import { flood } from './flood.ts';
import { pinRoom } from './pin-room.ts';
import { pinWindow } from './pin-window.ts';
import { updates, updatesWhole } from './updates.ts';

export const experiments: readonly Experiment[] = [
  updates,
  updatesWhole,
  balancerFailure,
  flapping,
  flood,
  pinWindow,
  pinRoom,
];
