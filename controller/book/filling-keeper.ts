// SPDX-License-Identifier: Apache-2.0
/**
 * Who is in use of a vip with slow start, and since when who fills, as notes for who leads next. Written when somebody comes into
 * use or goes, not with each step: `since` tells how far one has come.
 */
import { z } from 'zod';
import type { FillingNote } from '../core/filling.ts';
import { NoteKeeper, type NoteKeeperWorld } from './note-keeper.ts';

/** By vip. */
export type FillingKeeper = NoteKeeper<FillingNote>;

export function fillingKeeper(world: NoteKeeperWorld): FillingKeeper {
  return new NoteKeeper(world, {
    encode,
    decode,
    unreadable: 'who fills is not known from before',
    unwritable: 'who fills is not kept',
  });
}

/** Another number is another format, which is not read. */
const format = 1;

/** Milliseconds since 1970. */
const time = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

const schema = z.object({
  format: z.literal(format),
  windowMs: z.number().positive(),
  from: z.number().positive().max(1),
  begunAt: time.optional(),
  inUse: z.record(z.string(), time),
  predecessors: z.record(z.string(), z.string()),
});

function encode({ options: { windowMs, from }, begunAt, inUse, predecessors }: FillingNote): string {
  return JSON.stringify({
    format,
    windowMs,
    from,
    begunAt,
    inUse: Object.fromEntries(inUse),
    predecessors: Object.fromEntries(predecessors),
  } satisfies z.input<typeof schema>);
}

function decode(text: string): FillingNote {
  const { windowMs, from, begunAt, inUse, predecessors } = schema.parse(JSON.parse(text));
  return {
    options: { windowMs, from },
    begunAt,
    inUse: new Map(Object.entries(inUse)),
    predecessors: new Map(Object.entries(predecessors)),
  };
}
