// SPDX-License-Identifier: Apache-2.0
/** Everything that the API can be asked: one table, of which its routes and its description are made. */
import type { z } from 'zod';
import type { SlotMap } from '../../core/slot-map.ts';
import type { ControllerStatus } from './admin.ts';
import { answerChange, refuse } from './answers.ts';
import { driftOperations } from './drift-operations.ts';
import { type Operation, operation } from './operation.ts';
import { planOperations } from './plan-operations.ts';
import {
  afterSchema,
  changedSchema,
  editSchema,
  eventSchema,
  explanationSchema,
  flowSchema,
  nothingSchema,
  readinessSchema,
  sampleSchema,
  slotMapSchema,
  statusSchema,
} from './schemas.ts';
import { whyOperation } from './why-operation.ts';

export const operations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/v1/status',
    id: 'status',
    summary: 'Everything the controller knows about itself',
    answer: statusSchema,
    handle: ({ admin, context }) => context.json(admin.status()),
  }),
  operation({
    method: 'get',
    path: '/api/v1/explain',
    id: 'explain',
    summary: 'Where a flow goes, and why',
    description: 'The flow need not exist.',
    query: flowSchema,
    answer: explanationSchema,
    handle: ({ admin, context, query: { source, target, protocol } }) =>
      context.json(
        admin.explain({
          sourceAddress: source.address,
          sourcePort: source.port,
          vipAddress: target.address,
          vipPort: target.port,
          protocol,
        }),
      ),
  }),
  operation({
    method: 'get',
    path: '/api/v1/pools/{pool}/slots',
    id: 'slots',
    summary: 'Who has each slot of a pool',
    description: 'Compact, and with an ETag: who asks again with If-None-Match is told only what is new.',
    answer: slotMapSchema,
    otherAnswers: { 304: 'It is as it was.' },
    handle: ({ admin, context }) => {
      const pool = context.req.param('pool')!;
      const map = admin.slots(pool);
      if (map !== undefined) return context.json(packed(map));
      const names = admin.status().engine.pools.map(({ name }) => `'${name}'`);
      return refuse(context, {
        code: 'no-such-vip',
        where: 'path.pool',
        wrong: `there is no vip named '${pool}'`,
        right: names.slice(0, 10).join(' or ') || 'one that the switch has; it has none now',
      });
    },
  }),
  operation({
    method: 'get',
    path: '/api/v1/history',
    id: 'history',
    summary: 'Some numbers of every second of the last quarter of an hour',
    answer: sampleSchema.array(),
    handle: ({ admin, context }) => context.json(admin.history()),
  }),
  operation({
    method: 'get',
    path: '/api/v1/events',
    id: 'events',
    summary: 'What happened: the last lines of the log, or those to come',
    description:
      'To a request that accepts text/event-stream: the lines remembered, then each as it comes, as server-sent events ' +
      'whose data is an Event. Last-Event-ID takes the place of after.',
    query: afterSchema,
    answer: eventSchema.array(),
    handle: ({ admin, streams, context, query: { after } }) => {
      if (!/\btext\/event-stream\b/.test(context.req.header('accept') ?? ''))
        return context.json(admin.events(after));
      return streams.respond(context, after);
    },
  }),
  operation({
    method: 'post',
    path: '/api/v1/edit',
    id: 'edit',
    summary: 'Changes the configuration file, and thereby what is wanted',
    body: editSchema,
    answer: changedSchema,
    handle: async ({ admin, context, body }) => answerChange(context, await admin.edit(body)),
  }),
  operation({
    method: 'post',
    path: '/api/v1/reload',
    id: 'reload',
    summary: 'Reads the configuration file again',
    body: nothingSchema,
    answer: changedSchema,
    handle: async ({ admin, context }) => answerChange(context, await admin.reload()),
  }),
  whyOperation,
  ...planOperations,
  ...driftOperations,
  operation({
    method: 'post',
    path: '/api/v1/allowed',
    id: 'allowed',
    summary: 'Whether we may change state: changes nothing, and answers who may',
    body: nothingSchema,
    answer: nothingSchema,
    handle: ({ context }) => context.json({}),
  }),
  operation({
    method: 'get',
    path: '/readyz',
    id: 'ready',
    summary: 'Whether the controller does its work: it leads and the switch obeys, or it stands by',
    answer: readinessSchema,
    otherAnswers: { 503: 'It does not, or not yet.' },
    handle: ({ admin, context }) => {
      const readiness = readinessOf(admin.status());
      return context.json(readiness, readiness.isReady ? 200 : 503);
    },
  }),
];

function readinessOf({ leadership: { role }, engine, switch: target }: ControllerStatus) {
  const isReady = role === 'standby' || (role === 'leader' && engine.state === 'running');
  return { isReady, role, engine: engine.state, switch: target.connection };
}

function packed({ owners, bases, marks, backends, ...rest }: SlotMap): z.output<typeof slotMapSchema> {
  const indexes = new Map(backends.map(({ id }, index) => [id, index + 1]));
  const bytesPerSlot = backends.length < 0xff ? 1 : 2;
  const pack = (ids: Uint16Array): string => {
    const bytes = Buffer.alloc(ids.length * bytesPerSlot);
    for (const [slot, id] of ids.entries())
      bytes.writeUIntLE(indexes.get(id) ?? 0, slot * bytesPerSlot, bytesPerSlot);
    return bytes.toString('base64');
  };
  return {
    ...rest,
    backends,
    bytesPerSlot,
    owners: pack(owners),
    bases: pack(bases),
    marks: Buffer.from(marks).toString('base64'),
  };
}
