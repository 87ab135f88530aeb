// SPDX-License-Identifier: Apache-2.0
/**
 * The shapes that the API takes and gives. What comes in is checked by them; what goes out is described by them, and a test
 * holds the description against what a controller says.
 *
 * The description of a field that comes in says what is right, and is told to whoever sent something else.
 */
import { z } from 'zod';
import type { Edit } from '../../config/edit.ts';
import { parseEndpoint } from '../../config/scalar.ts';
import { logLevels, logTopics } from '../../core/event.ts';
import { memberDriftSchema } from './drift-schema.ts';
import { healthSchema, loadSchema } from './health-schema.ts';
import { drainSchema, lifecycleSchema } from './lifecycle-schema.ts';

const named = (name: string) => ({ id: name });

const vipName = z.string().min(1).describe('the name of a vip');
const backendName = z.string().min(1).describe('the name of a backend');
const weight = z
  .int()
  .min(0)
  .max(65_535)
  .describe('a whole number from 0 to 65535; 0 gets no new connections');
const target = { vip: vipName, backend: backendName };
const newBackend = {
  address: z.string().describe('an address such as 10.0.0.1 or 2001:db8::1'),
  port: z.int().min(1).max(65_535).describe('a port from 1 to 65535'),
  serverId: z
    .string()
    .max(16)
    .optional()
    .describe('two hexadecimal digits an octet, such as 0a01; of a vip with a hint'),
};
const deadlineMs = z
  .int()
  .min(1_000)
  .max(30 * 86_400_000)
  .optional()
  .describe('milliseconds from now, 1000 to 2592000000; what a drain has left then is given up');

export const editSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('add'),
      ...target,
      ...newBackend,
      weight: weight.optional(),
    }),
    z.strictObject({ kind: z.literal('remove'), ...target }),
    z.strictObject({ kind: z.literal('weight'), ...target, weight }),
    z.strictObject({
      kind: z.literal('state'),
      ...target,
      state: z
        .enum(['active', 'draining', 'disabled', 'down'])
        .describe('active, draining, disabled or down'),
      deadlineMs,
    }),
    z.strictObject({
      kind: z.literal('replace'),
      ...target,
      by: z.string().min(1).describe('the name of the backend that takes its seat'),
      ...newBackend,
      deadlineMs,
    }),
  ])
  .meta(named('Edit')) satisfies z.ZodType<Edit>;

export const nothingSchema = z.strictObject({}).describe('an empty object: {}');

export const afterSchema = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('the number of an event; only those after it are told'),
});

/** '10.0.0.1:80' or '[2001:db8::1]:80' as an address and a port. */
const endpoint = z
  .string()
  .transform((text, context) => {
    const parsed = parseEndpoint(text);
    if ('value' in parsed) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.wrong });
    return z.NEVER;
  })
  .describe('ADDRESS:PORT, such as 10.0.0.1:80 or [2001:db8::1]:80');

export const flowSchema = z.object({
  source: endpoint,
  target: endpoint,
  protocol: z.enum(['tcp', 'udp']).default('tcp').describe('tcp or udp'),
});

export const problemSchema = z
  .object({
    severity: z.enum(['error', 'warning']),
    line: z.int(),
    column: z.int(),
    path: z.string(),
    wrong: z.string(),
    right: z.string(),
  })
  .meta({ ...named('Problem'), description: 'Of the configuration file, with its place in it.' });

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string(),
      where: z.string().optional().describe('The part of the request that is wrong, such as body.weight.'),
      wrong: z.string(),
      right: z.string().describe('What would be right, to follow "expected".'),
      problems: z.array(problemSchema),
    }),
  })
  .meta(named('Error'));

export const changedSchema = z
  .object({
    isChanged: z.boolean().describe('Whether it was not so already.'),
    warnings: z.array(problemSchema),
    needsRestart: z.array(z.string()),
  })
  .meta(named('Changed'));

export const eventSchema = z
  .object({
    number: z.int(),
    at: z.iso.datetime(),
    level: z.enum(logLevels),
    topic: z.enum(logTopics),
    message: z.string(),
    fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  })
  .meta(named('Event'));

export const sampleSchema = z
  .object({
    at: z.iso.datetime(),
    unstableSlots: z.number(),
    pinsInstalled: z.number(),
    pinsOutstanding: z.number(),
    notices: z.number().describe('Digests and idle notifications since the controller began.'),
    commits: z.number(),
    mergedSlots: z.number(),
    lastCommitMs: z.number().optional(),
  })
  .meta(named('Sample'));

const backendState = z.enum(['active', 'draining', 'disabled', 'down', 'leaving']);

export const slotMapSchema = z
  .object({
    pool: z.string(),
    slotCount: z.int(),
    backends: z.array(z.object({ id: z.int(), name: z.string(), state: backendState })),
    bytesPerSlot: z.union([z.literal(1), z.literal(2)]).describe('Of owners and bases; little endian.'),
    owners: z
      .base64()
      .describe(
        'Per slot, who gets its new connections: 1 + index into backends; 0: nobody. Base64 of the bytes.',
      ),
    bases: z.base64().describe('Per slot, who has those that neither a pin nor a filter knows. As owners.'),
    marks: z.base64().describe('Per slot one byte: 0 stable, 1 unstable, 2 the seat of a dead backend.'),
  })
  .meta(named('SlotMap'));

export const explanationSchema = z
  .object({
    pool: z.string().optional(),
    hash: z.object({ crc32: z.int(), crc16: z.int(), rowA: z.int(), rowB: z.int() }).optional(),
    slot: z.int().optional(),
    stable: z.boolean().optional(),
    pin: z.object({ backend: z.string(), acknowledged: z.boolean() }).optional(),
    base: z.string().optional(),
    columns: z.array(z.object({ column: z.int(), backend: z.string(), live: z.boolean() })),
    activeFilter: z.int(),
    afterChange: z
      .string()
      .optional()
      .describe('Whom new flows of the slot get when the change that is wanted is done.'),
    outcomes: z.array(z.object({ backend: z.string(), when: z.string() })),
    why: z.string(),
  })
  .meta(named('Explanation'));

export const readinessSchema = z
  .object({ isReady: z.boolean(), role: z.string(), engine: z.string(), switch: z.string() })
  .meta(named('Readiness'));

const count = z.object({ packets: z.number(), bytes: z.number() }).meta(named('Count'));
const counts = z.record(z.string(), count);

const switchStatus = z
  .object({
    target: z.string(),
    connection: z.enum(['connecting', 'standby', 'preparing', 'ready', 'closed']),
    problem: z.string().optional(),
    notices: z.object({ received: z.number(), unreadable: z.number() }),
    traffic: z
      .object({
        decisions: counts,
        drops: counts,
        hints: counts.describe('What came of packets that may name their backend.'),
        limited: counts.describe('What the switch did not do, because it was beyond controller.digest_rate.'),
        pools: counts,
        backends: counts,
      })
      .optional(),
    trafficAgeMs: z
      .number()
      .optional()
      .describe('For so long the counters of pools and backends have not been read.'),
    written: z.record(z.string(), z.number()).optional(),
    members: z
      .array(
        z.object({
          name: z.string(),
          address: z.string(),
          state: z.enum(['disconnected', 'gathering', 'joining', 'participating', 'outdated']),
          stateMs: z.number(),
          rowsBehind: z.number(),
          problem: z.string().optional(),
          drift: memberDriftSchema.optional(),
        }),
      )
      .optional(),
  })
  .meta(named('SwitchStatus'));

const poolStatus = z
  .object({
    name: z.string(),
    id: z.int(),
    address: z.string(),
    protocol: z.enum(['tcp', 'udp']),
    port: z.int(),
    phase: z.enum(['filling', 'serving', 'leaving']),
    isDead: z.boolean().describe('Whether it serves and no backend that lives has a slot.'),
    forwarding: z.enum(['nat', 'l2_dsr', 'ipip', 'gre', 'gue']),
    affinity: z.enum(['none', 'source']),
    placement: z.string(),
    table: z.enum(['maglev', 'prefix']),
    sessionTimeoutMs: z.number(),
    slotCount: z.int(),
    slotRows: z.int().describe('Rows of slots and columns that a switch needs for the table.'),
    stableSlots: z.int(),
    unstableSlots: z.int(),
    pins: z.int(),
    backends: z.array(
      z.object({
        name: z.string(),
        id: z.int(),
        address: z.string(),
        port: z.int(),
        weight: z.number(),
        state: backendState,
        slots: z.int(),
        wantedSlots: z.int().describe('Those it would have if what is wanted were in force already.'),
        share: z.number(),
        pins: z.int(),
        drain: drainSchema.optional(),
      }),
    ),
  })
  .meta(named('PoolStatus'));

const filterSlot = z.int().min(0).max(3);

const engineStatus = z
  .object({
    now: z.number().describe('Milliseconds of the clock that the other times of the engine are of.'),
    state: z.enum(['disconnected', 'waiting', 'running']),
    pools: z.array(poolStatus),
    version: z.object({
      active: filterSlot,
      column: z.int(),
      filters: z.array(
        z.object({
          filterSlot,
          state: z.enum(['active', 'quarantine', 'free']),
          epoch: z.int(),
          column: z.int(),
          learn: z.boolean(),
          reusableAt: z.number().optional(),
        }),
      ),
    }),
    change: z.object({
      phase: z.enum(['idle', 'columns', 'slots', 'settling', 'rebasing', 'committing']),
      waitingFor: z.string().optional(),
      startedAt: z.number().optional(),
      rows: z.int(),
    }),
    pins: z.object({ installed: z.int(), outstanding: z.int(), refused: z.int() }),
    writes: z.object({
      writesInFlight: z.int(),
      updatesInFlight: z.int(),
      unsettledRows: z.int(),
      failures: z.int(),
    }),
    neighbours: z.object({ known: z.int(), missing: z.array(z.string()) }),
    commits: z.array(
      z.object({
        pools: z.array(z.string()),
        movedSlots: z.int(),
        takenSlots: z.int(),
        rows: z.int(),
        startedAt: z.number(),
        committedAt: z.number(),
        durationMs: z.number(),
      }),
    ),
    problems: z.array(z.object({ at: z.number(), message: z.string() })),
    totals: z.object({
      commits: z.int(),
      movedSlots: z.int(),
      mergedSlots: z.int(),
      rotations: z.int(),
    }),
  })
  .meta(named('EngineStatus'));

const announcerStatus = z
  .object({
    speaker: z.string(),
    announced: z.array(z.string()).optional().describe('As the speaker has confirmed them last.'),
    problem: z.string().optional().describe('Why the speaker does not say what it should.'),
    isDraining: z.boolean().describe('Nothing is announced, because the configuration says so.'),
    refused: z
      .array(z.string())
      .describe('Pools that are not announced: too few backends pass their checks.'),
  })
  .meta(named('AnnouncerStatus'));

export const statusSchema = z
  .object({
    date: z.iso.datetime(),
    uptimeMs: z.number(),
    config: z.object({
      file: z.string(),
      problems: z.array(problemSchema),
      warnings: z.array(problemSchema),
      needsRestart: z.array(z.string()),
    }),
    leadership: z.object({
      role: z.enum(['starting', 'leader', 'standby']),
      isShared: z.boolean(),
      term: z.string().optional(),
      leader: z.object({ name: z.string(), admin: z.string() }).optional(),
      problem: z.string().optional(),
      book: z.object({ store: z.string(), written: z.number(), problem: z.string().optional() }).optional(),
    }),
    switch: switchStatus,
    queue: z.object({ waiting: z.int(), dropped: z.int() }),
    engine: engineStatus,
    announcer: announcerStatus.optional(),
    health: healthSchema,
    load: loadSchema,
    lifecycle: lifecycleSchema,
  })
  .meta(named('ControllerStatus'));
