// SPDX-License-Identifier: Apache-2.0
/** The shapes of plans: what comes in, and what is said of it. */
import { z } from 'zod';
import { problemSchema } from './schemas.ts';

/** Of a configuration that comes with a request; that of a file may be larger. */
export const configTextMax = 1024 * 1024;

const text = z
  .string()
  .max(configTextMax)
  .describe(`a whole configuration, as in a file; at most ${configTextMax} characters`);

export const planRequestSchema = z.strictObject({
  text,
  rehearse: z
    .boolean()
    .optional()
    .describe('false: only in what the configurations differ; the controller need not work for it'),
});

export const applyRequestSchema = z.strictObject({
  text,
  basis: z
    .string()
    .max(64)
    .optional()
    .describe('the basis of a plan: refused if the configuration has changed since'),
});

const writeCount = z.object({
  phase: z
    .enum(['prepare', 'commit', 'merge', 'rotation'])
    .describe('rotation: of the version, by the clock; only about as many'),
  table: z.string(),
  inserted: z.int(),
  modified: z.int(),
  deleted: z.int(),
});

const backendPlan = z.object({
  name: z.string(),
  address: z.string(),
  change: z.enum(['added', 'removed', 'drained', 'disabled', 'failed', 'restored', 'reweighted']).optional(),
  weight: z.object({ from: z.int().optional(), to: z.int().optional() }),
  slots: z.object({ from: z.int(), to: z.int() }).describe('Whose new flows it gets.'),
});

const poolPlan = z
  .object({
    name: z.string(),
    change: z.enum(['added', 'removed', 'replaced', 'changed', 'unchanged']),
    slotCount: z.int(),
    movedSlots: z.int(),
    collateralSlots: z.int().describe('Of these, more than the new shares ask for.'),
    unstableSlots: z.int().describe('At most, at once.'),
    flows: z
      .object({ kept: z.number(), cut: z.number() })
      .describe('Of live flows, if spread evenly: kept by a pin where they are, and lost. From 0 to 1.'),
    backends: backendPlan.array(),
  })
  .meta({ id: 'PoolPlan' });

const planSchema = z
  .object({
    isEmpty: z.boolean(),
    pools: poolPlan.array(),
    writes: writeCount.array().describe('To the end of it, with what is under way already.'),
    writesAnyway: writeCount.array().describe('Of these, those that come if nothing else is wanted.'),
    movedSlots: z.int(),
    commits: z.int(),
    committedMs: z.number().optional(),
    mergedMs: z.number().optional(),
    speed: z.object({ updatesPerSecond: z.number(), isMeasured: z.boolean() }),
    neighboursAsked: z.string().array(),
    busy: z
      .object({
        phase: z.enum(['idle', 'columns', 'slots', 'settling', 'rebasing', 'committing']),
        unsettledRows: z.int(),
        unstableSlots: z.int(),
      })
      .optional(),
    waitsFor: z.string().array(),
    isWhole: z.boolean().describe('Not: a limit of the rehearsal was reached, and counts are too low.'),
  })
  .meta({ id: 'Plan' });

const changeSchema = z.object({
  kind: z.enum(['added', 'removed', 'changed']),
  what: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
});

export const planResultSchema = z
  .object({
    basis: z.string(),
    changes: changeSchema.array(),
    warnings: problemSchema.array(),
    needsRestart: z.string().array(),
    plan: planSchema.optional().describe('Absent: the engine does not know its switch, or another leads.'),
  })
  .meta({ id: 'PlanResult' });

export const appliedSchema = z
  .object({
    isChanged: z.boolean(),
    warnings: problemSchema.array(),
    needsRestart: z.string().array(),
    previous: z.string().describe('The configuration that was replaced.'),
  })
  .meta({ id: 'Applied' });
