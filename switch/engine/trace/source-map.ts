// SPDX-License-Identifier: Apache-2.0
/**
 * Where things stand in the P4 source: a side table to the program, made from the same JSON. What p4c has left out, or
 * written in another way than we know, has no position; that is never an error.
 */

import type { Action, Checksum, Conditional, Table } from '../program.ts';
import type { SourcePosition } from './trace.ts';

type Json = Record<string, unknown>;

export class SourceMap {
  private readonly nodes = new Map<string, SourcePosition>();
  private readonly checksums = new Map<string, SourcePosition>();
  private readonly primitives = new Map<number, (SourcePosition | undefined)[]>();

  /** @param json  that `load` has accepted */
  constructor(json: unknown) {
    for (const action of itemsOf(json, 'actions')) {
      this.primitives.set(Number(action.id), itemsOf(action, 'primitives').map(positionOf));
    }
    for (const pipeline of itemsOf(json, 'pipelines')) {
      for (const section of ['tables', 'conditionals', 'action_calls']) {
        note(this.nodes, itemsOf(pipeline, section));
      }
    }
    note(this.checksums, itemsOf(json, 'checksums'));
  }

  node({ name }: Pick<Table | Conditional, 'name'>): SourcePosition | undefined {
    return this.nodes.get(name);
  }

  primitive({ id }: Action, index: number): SourcePosition | undefined {
    return this.primitives.get(id)?.[index];
  }

  checksum({ name }: Checksum): SourcePosition | undefined {
    return this.checksums.get(name);
  }
}

function note(positions: Map<string, SourcePosition>, items: readonly Json[]): void {
  for (const item of items) {
    const position = positionOf(item);
    if (position && typeof item.name === 'string') positions.set(item.name, position);
  }
}

function positionOf({ source_info: info }: Json): SourcePosition | undefined {
  if (typeof info !== 'object' || info === null) return undefined;
  const { filename, line, column, source_fragment: fragment } = info as Json;
  if (typeof filename !== 'string' || typeof line !== 'number') return undefined;
  return {
    file: normalized(filename),
    line,
    column: typeof column === 'number' ? column : 0,
    fragment: typeof fragment === 'string' ? fragment : '',
  };
}

/** Without detours: "v1model/../core/arp.p4" is "core/arp.p4". */
function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    const before = parts.at(-1);
    if (part === '.' || (part === '' && parts.length > 0)) continue;
    if (part === '..' && before !== undefined && before !== '..' && before !== '') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

function itemsOf(node: unknown, key: string): Json[] {
  const items = typeof node === 'object' && node !== null ? (node as Json)[key] : undefined;
  return Array.isArray(items) ? items.filter((item) => typeof item === 'object' && item !== null) : [];
}
