// SPDX-License-Identifier: Apache-2.0
/** Things by the end of their name that no other of their kind has, as P4Info's aliases. */

import type { Program } from '../program.ts';

export type AliasedKind = 'table' | 'action' | 'counter' | 'meter' | 'register' | 'profile';

export class Aliases {
  private readonly aliases: ReadonlyMap<AliasedKind, ReadonlyMap<string, string>>;

  constructor({ tables, actions, counters, meters, registers, profiles }: Program) {
    this.aliases = new Map<AliasedKind, ReadonlyMap<string, string>>([
      ['table', aliasesOf(tables)],
      ['action', aliasesOf(actions)],
      ['counter', aliasesOf(counters)],
      ['meter', aliasesOf(meters)],
      ['register', aliasesOf(registers)],
      ['profile', aliasesOf(profiles)],
    ]);
  }

  of(kind: AliasedKind, name: string): string {
    return this.aliases.get(kind)!.get(name) ?? name;
  }
}

function aliasesOf(things: readonly { name: string }[]): ReadonlyMap<string, string> {
  // p4c gives each table a copy of an action, under one name.
  const names = [...new Set(things.map(({ name }) => name))];
  const counts = new Map<string, number>();
  for (const name of names) {
    for (const suffix of suffixesOf(name)) counts.set(suffix, (counts.get(suffix) ?? 0) + 1);
  }
  return new Map(
    names.map((name) => [name, suffixesOf(name).find((suffix) => counts.get(suffix) === 1) ?? name]),
  );
}

/** Shortest first. */
function suffixesOf(name: string): string[] {
  const parts = name.split('.');
  return parts.map((_, index) => parts.slice(-1 - index).join('.'));
}
