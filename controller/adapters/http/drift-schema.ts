// SPDX-License-Identifier: Apache-2.0
/** The shapes of drift. */
import { z } from 'zod';

const counts = z.object({ missing: z.int(), changed: z.int(), foreign: z.int() });

export const memberDriftSchema = z.object({
  counts,
  lookedMsAgo: z.number().optional().describe('Absent: it was never looked at.'),
  looks: z.int(),
  problem: z.string().optional(),
});

export const driftReportSchema = z
  .object({
    switch: z.string(),
    lookedMsAgo: z.number().optional(),
    tookMs: z.number().optional(),
    rowsRead: z.int(),
    problem: z.string().optional().describe('Why it could not be looked at, or repaired.'),
    counts: counts.describe('In all; rows are the first of them.'),
    rows: z
      .object({
        kind: z.enum(['missing', 'changed', 'foreign']),
        table: z.string(),
        wanted: z.string().optional(),
        found: z.string().optional(),
      })
      .array(),
    tolerated: z.int().describe('Rows of others that were adopted, and are let be until they are released.'),
    adopted: z.object({ table: z.string(), row: z.string() }).array().describe('The first of these.'),
  })
  .meta({ id: 'DriftReport' });
