// SPDX-License-Identifier: Apache-2.0
/** What `GET /status` says of health checks and of load; see schemas.ts. */
import { z } from 'zod';

const backendHealth = z
  .object({
    backend: z.string(),
    state: z.enum(['unknown', 'up', 'down']).describe('By its checks alone. unknown: not asked yet.'),
    stateMs: z.number().describe('For so long, in milliseconds.'),
    verdict: z
      .enum(['trusted', 'avoided', 'dead'])
      .describe(
        'trusted: as the operator says. avoided: no new connections. dead: its connections are given up.',
      ),
    verdictMs: z.number().describe('For so long, in milliseconds.'),
    failure: z.string().optional().describe('Why its last probe failed.'),
    latencyMs: z.number().optional().describe('Of its last probe, if it passed.'),
    problem: z.string().optional().describe('Why it could not be asked; it says nothing about the backend.'),
    penalty: z.number().describe('For falling again and again (RFC 2439).'),
    suppressedMs: z.number().optional().describe('It is held out for so long if it does not fall again.'),
  })
  .meta({ id: 'BackendHealth' });

export const healthSchema = z
  .array(
    z
      .object({
        pool: z.string(),
        check: z.enum(['tcp', 'http', 'udp', 'grpc', 'command']),
        isPanicking: z
          .boolean()
          .describe('Fewer backends than the floor would be left: none of the checks is trusted.'),
        backends: z.array(backendHealth),
      })
      .meta({ id: 'PoolHealth' }),
  )
  .optional()
  .describe('Of the vips whose backends are checked.');

export const loadSchema = z
  .array(
    z
      .object({
        pool: z.string(),
        source: z.enum(['http', 'prometheus', 'switch']),
        problem: z.string().optional().describe('Why not all loads are known.'),
        changes: z.int().describe('How often weights were changed.'),
        backends: z.array(
          z.object({
            backend: z.string(),
            weight: z.int().describe('In use.'),
            configured: z.int().describe('In the same units: 256 for one, or fewer where weights are large.'),
            load: z.number().optional().describe('Smoothed.'),
          }),
        ),
      })
      .meta({ id: 'PoolLoad' }),
  )
  .optional()
  .describe('Of the vips whose weights follow load.');
