// SPDX-License-Identifier: Apache-2.0
/** Tells what has changed in the headers of a packet since it was last looked at. */

import { readFieldAt, readWords, varbitOf } from '../interpreter/fields.ts';
import type { Memory } from '../memory.ts';
import type { Field, Header, Program } from '../program.ts';
import { hex, hexOf } from './describe.ts';
import type { FieldNames } from './field-names.ts';
import type { Change } from './trace.ts';

export class Watch {
  private readonly program: Program;
  private readonly memory: Memory;
  private readonly names: FieldNames;
  private words: Uint32Array;
  private varbits: Uint8Array;

  constructor(program: Program, memory: Memory, names: FieldNames) {
    this.program = program;
    this.memory = memory;
    this.names = names;
    this.words = memory.F.slice();
    this.varbits = memory.V.slice();
  }

  /** Whatever has changed until now is not worth telling. */
  look(): void {
    this.words = this.memory.F.slice();
    this.varbits = this.memory.V.slice();
  }

  value(header: Header, field: Field): bigint {
    return readFieldAt(this.memory, header.base, field);
  }

  changes(): Change[] {
    const { F } = this.memory;
    const changes: Change[] = [];
    for (const header of this.program.headers) {
      const { base, type, metadata } = header;
      const wasValid = metadata || this.words[base] !== 0;
      const isValid = metadata || F[base] !== 0;
      if (!wasValid && !isValid) continue;
      if (!wasValid) changes.push({ kind: 'header-added', header: header.name });
      // What was in a header that is gone went with it.
      if (!isValid) changes.push({ kind: 'header-removed', header: header.name });
      else for (const field of type.fields) this.compare(header, field, changes);
    }
    this.look();
    return changes;
  }

  private compare(header: Header, field: Field, changes: Change[]): void {
    const { memory, words, varbits } = this;
    const name = this.names.of(header, field);
    if (field.varbit) {
      const old = hex(varbitOf({ ...memory, F: words, V: varbits }, header, field));
      const now = hex(varbitOf(memory, header, field));
      if (old !== now) changes.push({ kind: 'field', field: name, width: field.width, old, new: now });
      return;
    }
    const at = header.base + field.slot;
    const old = readWords(words, at, field.words);
    const now = readWords(memory.F, at, field.words);
    if (old === now) return;
    changes.push({ kind: 'field', field: name, width: field.width, old: hexOf(old), new: hexOf(now) });
  }
}
