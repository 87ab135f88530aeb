// SPDX-License-Identifier: Apache-2.0
/**
 * Fields by the names people know. p4c puts all metadata into one header and numbers it: field 4 of `metadata_t`, once
 * `meta.flow.source_address`, is `scalars.metadata_t._flow_source_address4`; here it is `meta.flow_source_address`.
 */

import type { Field, FieldRef, Header, Program } from '../program.ts';

export class FieldNames {
  private readonly names = new Map<Header, Map<Field, string>>();

  constructor(program: Program) {
    for (const header of program.headers) this.names.set(header, namesOf(header));
  }

  of(header: Header, field: Field): string {
    return this.names.get(header)?.get(field) ?? `${header.name}.${field.name}`;
  }

  ofRef({ header, field }: FieldRef): string {
    return this.of(header, field);
  }
}

function namesOf(header: Header): Map<Field, string> {
  const names = new Map<Field, string>();
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  for (const field of header.type.fields) {
    let name = `${header.name}.${field.name}`;
    if (header.name === 'scalars') {
      name = field.name;
      const [, struct, member] = /^([^.]+)\._(.+)$/.exec(field.name) ?? [];
      if (struct !== undefined && member !== undefined) {
        const number = counts.get(struct) ?? 0;
        counts.set(struct, number + 1);
        const plain = member.endsWith(String(number)) ? member.slice(0, -String(number).length) : member;
        name = `meta.${plain}`;
      }
    }
    // Two structs may have a member of one name.
    if (taken.has(name)) name = `${header.name}.${field.name}`;
    taken.add(name);
    names.set(field, name);
  }
  return names;
}

/** Made by p4c, not by people. */
export function isTemporary(name: string): boolean {
  return /^(tmp|retval|hasReturned|hsiVar|key)(_\d+)?$/.test(name);
}
