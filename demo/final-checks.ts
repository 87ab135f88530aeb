// SPDX-License-Identifier: Apache-2.0
/** When all is said and done, nearly nothing may be left behind; asked of the switch, not of the controller. */

import type { Status } from '../controller/core/status.ts';
import type { Network } from './network.ts';
import { pause } from './programs.ts';
import type { Check } from './report.ts';
import type { PoolPlan } from './scenario.ts';
import { readSwitchTables, type SwitchTables } from './switch-tables.ts';

/** Long enough for every talkative connection to send something. */
const quietMs = 2_500;
/** Of a backend's fair share. Maglev with some hundred slots a backend does better. */
const shareErrorMax = 0.1;

/** Traffic goes on meanwhile; changes do not. */
export async function finalChecks(
  network: Network,
  plan: PoolPlan,
  status: Status | undefined,
): Promise<Check[]> {
  const before = await readSwitchTables(network.switchAddress, network.deviceId);
  await pause(quietMs);
  const after = await readSwitchTables(network.switchAddress, network.deviceId);
  const asked = after.unstablePackets - before.unstablePackets;
  const needless = after.pins.filter(({ backend, slotBackend }) => backend === slotBackend).length;
  const slots = slotsByName(after, status);
  return [
    {
      what: 'every change has been made',
      ...agreement(plan, slots),
    },
    {
      what: `shares follow weights within ${shareErrorMax * 100} %`,
      ...balance(plan, slots),
    },
    {
      what: 'no slot is unstable, no column is left',
      passed: after.slots > 0 && after.unstableSlots === 0 && after.slotVersions === 0,
      detail: `${after.unstableSlots} of ${after.slots} slots in ${after.slotRows} rows, ${after.slotVersions} rows of columns`,
    },
    {
      what: 'no packet asks a filter, so no digest is raised',
      passed: asked === 0,
      detail: `${asked} packets in ${quietMs} ms, ${before.unstablePackets} in the time before`,
    },
    {
      what: 'every pin is of a flow that lives elsewhere than its slot',
      passed: needless === 0,
      detail: `${after.pins.length} pins, ${needless} of them needless`,
    },
  ];
}

/** Slots of the switch by the backend's name. Only the controller knows whose id is whose. */
function slotsByName({ owned }: SwitchTables, status: Status | undefined): Map<string, number> {
  const names = new Map(status?.pools[0]?.backends.map(({ id, name }) => [id, name]));
  return new Map([...owned].map(([id, slots]) => [names.get(id) ?? `backend ${id}`, slots]));
}

/** Does the table in force give new flows to exactly those who are to get them? */
function agreement(plan: PoolPlan, slots: ReadonlyMap<string, number>): Pick<Check, 'passed' | 'detail'> {
  const wanted = Object.entries(plan).filter(([, { weight, state }]) => weight > 0 && state === 'active');
  const names = new Set(wanted.map(([name]) => name));
  const missing = [...names].filter((name) => !slots.has(name));
  const surplus = [...slots.keys()].filter((name) => !names.has(name));
  return {
    passed: missing.length === 0 && surplus.length === 0,
    detail: `${slots.size} backends serve; missing: ${missing.join(' ') || 'none'}; surplus: ${surplus.join(' ') || 'none'}`,
  };
}

function balance(plan: PoolPlan, slots: ReadonlyMap<string, number>): Pick<Check, 'passed' | 'detail'> {
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
  const serving = Object.entries(plan).filter(([, { weight, state }]) => weight > 0 && state === 'active');
  const weights = sum(serving.map(([, { weight }]) => weight));
  const all = sum(slots.values());
  const errors = serving.map(([name, { weight }]) => {
    return { name, error: Math.abs((slots.get(name) ?? 0) / (all * (weight / weights)) - 1) };
  });
  const worst = errors.reduce((a, b) => (b.error > a.error ? b : a), { name: 'nobody', error: 0 });
  return {
    passed: errors.length > 0 && worst.error <= shareErrorMax,
    detail: `${worst.name} is ${(worst.error * 100).toFixed(1)} % off, the others less`,
  };
}
