// SPDX-License-Identifier: Apache-2.0
/** Drift: what somebody else has written to the switches, and what is to become of it. */
import { z } from 'zod';
import type { DriftReport } from '../../ports/switch.ts';
import { refuse } from './answers.ts';
import { driftReportSchema } from './drift-schema.ts';
import { adminLimits } from './limits.ts';
import { type Operation, operation } from './operation.ts';

const doneSchema = z.strictObject({
  do: z
    .enum(['look', 'repair', 'adopt', 'release'])
    .describe(
      'look: read the switch back; repair: and write what should be there; adopt: and take what is there; ' +
        'release: give up the adopted rows of others, and look',
    ),
  switch: z.string().max(200).optional().describe('the name of a switch; all of them without it'),
});

function withoutClients(report: DriftReport): DriftReport {
  const namesNobody = ({ table }: { table: string }): boolean => table !== 'pin';
  return {
    ...report,
    rows: report.rows.filter(namesNobody),
    adopted: report.adopted.filter(namesNobody),
  };
}

export const driftOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/v1/drift',
    id: 'drift',
    summary: 'What somebody else has written to the switches, as seen last',
    description:
      'Pins are counted, not shown: they name clients, and anybody may ask. Who posts is shown all.',
    answer: driftReportSchema.array(),
    handle: async ({ admin, context }) =>
      context.json((await admin.drift(undefined, undefined)).map(withoutClients)),
  }),
  operation({
    method: 'post',
    path: '/api/v1/drift',
    id: 'doAboutDrift',
    summary: 'Looks for what somebody else has written to the switches, and does something about it',
    atOnce: adminLimits.driftsAtOnce,
    body: doneSchema,
    answer: driftReportSchema.array(),
    handle: async ({ admin, context, body: { do: action, switch: name } }) => {
      const known = (await admin.drift(undefined, undefined)).map((report) => report.switch);
      if (name === undefined || known.includes(name)) return context.json(await admin.drift(action, name));
      return refuse(context, {
        code: 'not-found',
        where: 'body.switch',
        wrong: `there is no switch named '${name}'`,
        right:
          known
            .slice(0, 10)
            .map((one) => `'${one}'`)
            .join(' or ') || 'none: there is no switch now',
      });
    },
  }),
];
