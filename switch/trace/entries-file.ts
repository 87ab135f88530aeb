// SPDX-License-Identifier: Apache-2.0
/**
 * What a switch is told before its first packet, from a file: p4.v1.WriteRequest in protobuf's text format (several,
 * with a line of `---` between them), or the tutorials' sX-runtime.json.
 */

import { WriteRequestSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { parseText, placeIn } from '../../p4runtime/text-format.ts';
import { type PlacedUpdate, parseRuntimeJson } from './runtime-json.ts';

/** @throws P4RuntimeError with line and column */
export function parseEntries(text: string, fileName: string, index: P4InfoIndex): PlacedUpdate[] {
  // No text of the other form begins so.
  return /^\s*\{/.test(text) ? parseRuntimeJson(text, fileName, index) : parseWriteRequests(text, fileName);
}

function parseWriteRequests(text: string, fileName: string): PlacedUpdate[] {
  const updates: PlacedUpdate[] = [];
  let start = 0;
  for (const piece of text.split(/^---[ \t]*$/m)) {
    const offsets = new Map<object, number>();
    // What comes before keeps its lines, so that those of this piece are right.
    const padded = text.slice(0, start).replace(/[^\n]/g, ' ') + piece;
    const request = parseText(WriteRequestSchema, padded, { fileName, offsets });
    for (const update of request.updates) {
      updates.push({ update, place: placeIn(padded, offsets.get(update) ?? start, fileName) });
    }
    start += piece.length + separatorLength(text, start + piece.length);
  }
  return updates;
}

function separatorLength(text: string, at: number): number {
  return /^---[ \t]*/.exec(text.slice(at))?.[0].length ?? 0;
}
