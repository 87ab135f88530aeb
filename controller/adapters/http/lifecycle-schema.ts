// SPDX-License-Identifier: Apache-2.0
/** What `GET /status` says of how backends come and go; see schemas.ts. */
import { z } from 'zod';

export const drainSchema = z
  .object({
    baseSlots: z.int().describe('Slots whose older connections go to it, unless a pin says otherwise.'),
    namedSlots: z.int().describe('Slots that name it at all.'),
    promisedUntil: z
      .number()
      .optional()
      .describe("When its slots let go of it, on the engine's clock; absent: unknown yet, or none has it."),
    hasServerId: z.boolean().describe('Packets may name it themselves as long as it is configured.'),
    isDrained: z.boolean().describe('Nothing names it, and the switch has said so: it may be stopped.'),
  })
  .meta({ id: 'Drain' });

export const lifecycleSchema = z
  .array(
    z
      .object({
        pool: z.string(),
        backends: z.array(
          z.object({
            backend: z.string(),
            wish: z.enum(['active', 'draining', 'disabled', 'down']).describe('As configured.'),
            weight: z.int().describe('As configured.'),
            deadlineMs: z
              .number()
              .optional()
              .describe('Of its drain, in milliseconds from now; 0: it has passed.'),
            share: z.number().describe('Of its weight: below 1 while it fills.'),
            fillMs: z.number().describe('Until it has the whole, in milliseconds.'),
            replaces: z.string().optional().describe('Whose seat it takes.'),
          }),
        ),
      })
      .meta({ id: 'PoolLifecycle' }),
  )
  .optional()
  .describe('How backends come and go.');
