// SPDX-License-Identifier: Apache-2.0
/** Plans: what would come of another configuration, and doing it. */
import { answerChange } from './answers.ts';
import { type Operation, operation } from './operation.ts';
import {
  appliedSchema,
  applyRequestSchema,
  configTextMax,
  planRequestSchema,
  planResultSchema,
} from './plan-schemas.ts';

/** JSON may take two characters for one. */
const bodyBytes = 2 * configTextMax;

export const planOperations: readonly Operation[] = [
  operation({
    method: 'post',
    path: '/api/v1/plan',
    id: 'plan',
    summary: 'What would come of another configuration',
    description:
      'Changes nothing. It takes what a change takes all the same: the answer shows the configuration, and it is work for the controller.',
    bodyBytes,
    body: planRequestSchema,
    answer: planResultSchema,
    handle: async ({ admin, context, body }) =>
      answerChange(context, await admin.plan(body.text, body.rehearse ?? true)),
  }),
  operation({
    method: 'post',
    path: '/api/v1/apply',
    id: 'apply',
    summary: 'Puts another configuration in the place of the one there is',
    bodyBytes,
    body: applyRequestSchema,
    answer: appliedSchema,
    handle: async ({ admin, context, body }) =>
      answerChange(context, await admin.apply(body.text, body.basis)),
  }),
];
