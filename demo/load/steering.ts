// SPDX-License-Identifier: Apache-2.0
/** Who sets the weights in an experiment: the controller by itself, or a script that writes its configuration, as anybody would begin. */
import {
  dividingSteersman,
  fixedSteersman,
  forgetfulSteersman,
  hastySteersman,
  type Steersman,
  shippedSteersman,
} from '../../sim/load/steersmen.ts';
import { cpusOfServers, loadOptions } from './parameters.ts';

export interface SteeringCase {
  /** In the table. */
  label: string;
  /** `load` of the vip, once steering begins; undefined: the controller steers nothing. */
  load: object | undefined;
  /** Sets the weights from outside, with every reading. */
  script: Steersman | undefined;
  /** The same, for the simulation. */
  simulated: () => Steersman;
}

export const statusPort = 9_100;
const told = { source: 'http', url: `http://{address}:${statusPort}/status`, field: 'load' };
const namesOfServers = cpusOfServers.map((_, i) => `s${i + 1}`);

export const steeringCases = {
  nobody: () => ({
    label: 'nobody steers',
    load: undefined,
    script: undefined,
    simulated: () => () => undefined,
  }),
  room: () => ({
    label: 'a script: weight = room left, with every reading',
    load: undefined,
    script: hastySteersman(),
    simulated: hastySteersman,
  }),
  divided: () => ({
    label: 'a script: weight divided by load, with every reading',
    load: undefined,
    script: dividingSteersman(),
    simulated: dividingSteersman,
  }),
  cpus: () => ({
    label: 'weights 1, 2, 4, 8 by hand',
    load: undefined,
    script: fixedSteersman(weightsByHand(namesOfServers)),
    simulated: () => fixedSteersman(weightsByHand(cpusOfServers.map((_, i) => `s${i}`))),
  }),
  forgetful: () => ({
    label: 'ours without its model of the lag',
    load: { ...told, lag: '1s' },
    script: undefined,
    simulated: () => forgetfulSteersman(loadOptions),
  }),
  ours: () => ({
    label: '**ours**',
    load: { ...told, lag: `${loadOptions.lagMs}ms` },
    script: undefined,
    simulated: () => shippedSteersman(loadOptions),
  }),
} satisfies Record<string, () => SteeringCase>;

export type SteeringName = keyof typeof steeringCases;

function weightsByHand(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, i) => [name, cpusOfServers[i]!]));
}
