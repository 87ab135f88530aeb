// SPDX-License-Identifier: Apache-2.0
/**
 * NameIndex: objects of one kind by name and id, with errors that help who mistyped a name.
 */
import { distance as editDistance } from 'fastest-levenshtein';
import { P4RuntimeError } from './p4runtime-error.ts';

interface Named {
  readonly id: number;
  readonly name: string;
  readonly alias?: string;
}

/** An error lists at most this many names that come near. */
const nearMatchLimit = 3;

export class NameIndex<T extends { readonly name: string }> {
  private readonly kind: string;
  private readonly owner: string | undefined;
  private readonly objects: readonly T[];
  private readonly ids = new Map<number, T>();
  /** Full names and aliases: they win over suffixes. */
  private readonly names = new Map<string, T>();
  private readonly suffixes = new Map<string, T[]>();

  private constructor(kind: string, objects: readonly (T & Named)[], owner?: string) {
    this.kind = kind;
    this.owner = owner;
    this.objects = objects;
    for (const object of objects) {
      if (this.ids.has(object.id)) throw this.contradiction(`id ${object.id}`);
      if (this.names.has(object.name)) throw this.contradiction(`name '${object.name}'`);
      this.ids.set(object.id, object);
      this.names.set(object.name, object);
    }
    for (const object of objects) {
      if (object.alias !== undefined && !this.names.has(object.alias)) this.names.set(object.alias, object);
      for (let dot = object.name.indexOf('.'); dot >= 0; dot = object.name.indexOf('.', dot + 1)) {
        const suffix = object.name.slice(dot + 1);
        this.suffixes.set(suffix, [...(this.suffixes.get(suffix) ?? []), object]);
      }
    }
  }

  /**
   * @param kind  what the objects are, for errors: 'table'
   * @param owner  what they belong to, for errors: 'table SwitchIngress.slot'
   * @throws P4RuntimeError 'bad-p4info' when two objects share an id or a name
   */
  static of<T extends Named>(kind: string, objects: readonly T[], owner?: string): NameIndex<T> {
    return new NameIndex<T>(kind, objects, owner);
  }

  /** In the order of the P4Info. */
  all(): readonly T[] {
    return this.objects;
  }

  byId(id: number): T | undefined {
    return this.ids.get(id);
  }

  /**
   * @param name  full name, alias, or a suffix that only one object has
   * @throws P4RuntimeError 'unknown-name' or 'ambiguous-name', with the names that come near
   */
  get(name: string): T {
    const exact = this.names.get(name);
    if (exact !== undefined) return exact;
    const candidates = this.suffixes.get(name) ?? [];
    if (candidates.length === 1) return candidates[0]!;
    const where = this.owner === undefined ? '' : ` in ${this.owner}`;
    if (candidates.length > 1) {
      const choices = candidates.map((candidate) => candidate.name).join(', ');
      throw new P4RuntimeError('ambiguous-name', {
        message: `${this.kind} '${name}'${where} may be any of ${choices}; write more of the name`,
      });
    }
    throw new P4RuntimeError('unknown-name', {
      message: `there is no ${this.kind} '${name}'${where}; ${this.hint(name)}`,
    });
  }

  has(name: string): boolean {
    return this.names.has(name) || this.suffixes.get(name)?.length === 1;
  }

  private hint(name: string): string {
    if (this.objects.length === 0) return `there is no ${this.kind} at all`;
    const near = [...new Set([...this.names.keys(), ...this.suffixes.keys()])]
      .map((candidate) => ({
        candidate,
        distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
      }))
      .filter(({ candidate, distance }) => distance <= Math.max(2, candidate.length / 3))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, nearMatchLimit)
      .map(({ candidate }) => candidate);
    if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
    return `there is ${this.objects.map((object) => object.name).join(', ')}`;
  }

  private contradiction(what: string): P4RuntimeError {
    const where = this.owner === undefined ? '' : ` of ${this.owner}`;
    return new P4RuntimeError('bad-p4info', { message: `two ${this.kind}s${where} have the ${what}` });
  }
}
