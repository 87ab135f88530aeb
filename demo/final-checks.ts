// SPDX-License-Identifier: Apache-2.0
/** When all is said and done, nearly nothing may be left behind; asked of the switch, not of the controller. */

import type { Status } from '../controller/core/status.ts';
import type { Network } from './network.ts';
import { pause } from './programs.ts';
import type { Check } from './report.ts';
import type { PoolPlan } from './scenario.ts';
import { readSwitchTables } from './switch-tables.ts';

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
  return [
    {
      what: 'every change has been made',
      ...agreement(plan, status),
    },
    {
      what: `shares follow weights within ${shareErrorMax * 100} %`,
      ...balance(plan, status),
    },
    {
      what: 'no slot is unstable, no column is left',
      passed: after.slots > 0 && after.unstableSlots === 0 && after.slotVersions === 0,
      detail: `${after.unstableSlots} of ${after.slots} slots, ${after.slotVersions} rows of slot_version`,
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

/** Does the table in force give new flows to exactly those who are to get them? */
function agreement(plan: PoolPlan, status: Status | undefined): Pick<Check, 'passed' | 'detail'> {
  const backends = status?.pools[0]?.backends ?? [];
  const wanted = Object.entries(plan).filter(([, { weight, state }]) => weight > 0 && state === 'active');
  const serving = new Set(backends.filter(({ slots }) => slots > 0).map(({ name }) => name));
  const missing = wanted.filter(([name]) => !serving.has(name)).map(([name]) => name);
  const surplus = [...serving].filter((name) => !wanted.some(([other]) => other === name));
  return {
    passed: backends.length > 0 && missing.length === 0 && surplus.length === 0,
    detail: `${serving.size} backends serve; missing: ${missing.join(' ') || 'none'}; surplus: ${surplus.join(' ') || 'none'}`,
  };
}

function balance(plan: PoolPlan, status: Status | undefined): Pick<Check, 'passed' | 'detail'> {
  const serving = Object.entries(plan).filter(([, { state }]) => state === 'active');
  const weights = serving.reduce((sum, [, { weight }]) => sum + weight, 0);
  const errors = serving.map(([name, { weight }]) => {
    const share = status?.pools[0]?.backends.find((backend) => backend.name === name)?.share ?? 0;
    return { name, error: weight === 0 ? share : Math.abs(share / (weight / weights) - 1) };
  });
  const worst = errors.reduce((a, b) => (b.error > a.error ? b : a), { name: 'nobody', error: 0 });
  return {
    passed: errors.length > 0 && worst.error <= shareErrorMax,
    detail: `${worst.name} is ${(worst.error * 100).toFixed(1)} % off, the others less`,
  };
}
