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
import { serverHosts } from '../layout.ts';
import { cpusOfServers, loadOptions } from './parameters.ts';
import { prometheusUrl } from './prometheus.ts';

export interface SteeringCase {
  /** In the table. */
  label: string;
  /** `load` of the vip, once steering begins; undefined: the controller steers nothing. */
  load: { readonly source: string; readonly [setting: string]: string } | undefined;
  /** Configured by hand, once steering begins; undefined: equal ones. */
  weights?: ReadonlyMap<string, number>;
  /** Sets the weights from outside, with every reading. */
  script: Steersman | undefined;
  /** The same, for the simulation. */
  simulated: () => Steersman;
}

export const statusPort = 9_100;
const told = { source: 'http', url: `http://{address}:${statusPort}/status`, field: 'load' };
const lag = `${loadOptions.lagMs}ms`;
const namesOfServers = serverHosts.map(({ name }) => name);

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
    load: { ...told, lag },
    script: undefined,
    simulated: () => shippedSteersman(loadOptions),
  }),
  prometheus: () => ({
    label: '**ours**, `source: prometheus`',
    load: {
      source: 'prometheus',
      url: prometheusUrl,
      query: 'avg by (instance) (runnable_over_cpus)',
      lag,
    },
    script: undefined,
    simulated: () => shippedSteersman(loadOptions),
  }),
  switch: () => ({
    label: '**ours**, `source: switch` (bytes), and weights 1, 2, 4, 8 by hand',
    load: { source: 'switch', count: 'bytes', lag },
    weights: weightsByHand(namesOfServers),
    script: undefined,
    simulated: () => fixedSteersman(weightsByHand(cpusOfServers.map((_, i) => `s${i}`))),
  }),
} satisfies Record<string, () => SteeringCase>;

export type SteeringName = keyof typeof steeringCases;

function weightsByHand(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, i) => [name, cpusOfServers[i]!]));
}
