// SPDX-License-Identifier: Apache-2.0
/** Why a backend gets what it gets, or nothing. */
import { z } from 'zod';
import { type Operation, operation } from './operation.ts';

export const whySchema = z
  .object({
    vip: z.string(),
    backend: z.string(),
    gets: z
      .enum(['nothing', 'less', 'all', 'more', 'unknown'])
      .describe('Of what its weight asks for, within a slot or two; unknown: there is no such backend.'),
    slots: z.int(),
    slotCount: z.int(),
    share: z.number(),
    shareWanted: z.number().optional(),
    packets: z.number().optional(),
    reasons: z
      .object({
        gravity: z
          .enum(['nothing', 'less', 'note'])
          .describe('nothing: alone it keeps new connections away.'),
        text: z.string(),
        remedy: z.string().optional(),
      })
      .array()
      .describe('The gravest first.'),
  })
  .meta({ id: 'WhyBackend' });

export const whyOperation: Operation = operation({
  method: 'get',
  path: '/api/v1/why',
  id: 'why',
  summary: 'Why a backend gets what it gets, or nothing',
  query: z.object({
    vip: z.string().min(1).describe('the name of a vip'),
    backend: z.string().min(1).describe('the name of one of its backends'),
  }),
  answer: whySchema,
  handle: ({ admin, context, query: { vip, backend } }) => context.json(admin.why(vip, backend)),
});
