// SPDX-License-Identifier: Apache-2.0
/**
 * TypedEntries: table entries of one program, checked by the compiler. The types come from typegen.ts; a wrong
 * table, field, action or kind of value does not compile.
 */
import { decodeDigest } from './digests.ts';
import type { ActionCall, Entry, EntryOptions, MatchValue, ReadOptions } from './entries.ts';
import { EntryCodec } from './entries.ts';
import type {
  DigestList,
  Entity,
  PacketIn,
  PacketMetadata,
  TableEntry,
  Update,
} from './generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from './p4info.ts';
import { P4RuntimeError } from './p4runtime-error.ts';
import { decodePacketIn, encodePacketOut } from './packet-metadata.ts';
import type { ProgramSchema } from './program-schema.ts';
import { schemaDifferences } from './program-schema.ts';

/** The form of the interface that typegen.ts writes. Values are numbers up to 32 bits, bigints beyond. */
export interface ProgramTypes {
  tables: Record<string, TableTypes>;
  digests: Record<string, object>;
  packetIn: object;
  packetOut: object;
}

interface TableTypes {
  match: object;
  /** Parameters by action; `actions` of entries, `defaults` of the default entry. */
  actions: Record<string, object>;
  defaults: Record<string, object>;
  hasPriority: boolean;
}

type Tables<P extends ProgramTypes> = keyof P['tables'] & string;
type Match<P extends ProgramTypes, T extends Tables<P>> = P['tables'][T]['match'];
type Actions<P extends ProgramTypes, T extends Tables<P>> = P['tables'][T]['actions'];
type Defaults<P extends ProgramTypes, T extends Tables<P>> = P['tables'][T]['defaults'];

/** Priority is demanded where the table has it, and refused where it has not. */
type Options<P extends ProgramTypes, T extends Tables<P>> = P['tables'][T]['hasPriority'] extends true
  ? [options: EntryOptions & { priority: number }]
  : [options?: Omit<EntryOptions, 'priority'>];

/** An action with its parameters: a union over the actions. */
type Call<A> = { [N in keyof A & string]: { readonly name: N; readonly params: Readonly<A[N]> } }[keyof A &
  string];

/** An entry as read: a union over the tables. */
export type TypedEntry<P extends ProgramTypes, T extends Tables<P> = Tables<P>> = {
  [N in T]: Omit<Entry, 'table' | 'match' | 'action'> & {
    readonly table: N;
    readonly match: Readonly<Match<P, N>>;
    readonly action: Call<Actions<P, N> & Defaults<P, N>> | undefined;
  };
}[T];

/** The samples of a digest list: a union over the digests. */
export type TypedDigest<P extends ProgramTypes> = {
  [D in keyof P['digests'] & string]: {
    readonly name: D;
    readonly samples: readonly Readonly<P['digests'][D]>[];
  };
}[keyof P['digests'] & string];

export class TypedEntries<P extends ProgramTypes> {
  private readonly index: P4InfoIndex;
  private readonly codec: EntryCodec;

  /**
   * @param schema  what typegen.ts wrote beside P
   * @throws P4RuntimeError 'bad-p4info', with every difference, when the P4Info is of another program than P
   */
  constructor(index: P4InfoIndex, schema: ProgramSchema) {
    const differences = schemaDifferences(schema, index);
    if (differences.length > 0) {
      const message = `the P4Info is not the one the types were generated from:\n  ${differences.join('\n  ')}`;
      throw new P4RuntimeError('bad-p4info', { message });
    }
    this.index = index;
    this.codec = new EntryCodec(index);
  }

  insert<T extends Tables<P>, A extends keyof Actions<P, T> & string>(
    table: T,
    match: Match<P, T>,
    action: A,
    params: Actions<P, T>[A],
    ...[options]: Options<P, T>
  ): Update {
    return this.codec.insert({ table, match: untyped(match), action: call(action, params), ...options });
  }

  modify<T extends Tables<P>, A extends keyof Actions<P, T> & string>(
    table: T,
    match: Match<P, T>,
    action: A,
    params: Actions<P, T>[A],
    ...[options]: Options<P, T>
  ): Update {
    return this.codec.modify({ table, match: untyped(match), action: call(action, params), ...options });
  }

  remove<T extends Tables<P>>(table: T, match: Match<P, T>, ...[options]: Options<P, T>): Update {
    return this.codec.remove({ table, match: untyped(match), ...options });
  }

  setDefault<T extends Tables<P>, A extends keyof Defaults<P, T> & string>(
    table: T,
    action: A,
    params: Defaults<P, T>[A],
  ): Update {
    return this.codec.setDefault(table, call(action, params));
  }

  /** Back to the default action the program declares. */
  resetDefault(table: Tables<P>): Update {
    return this.codec.setDefault(table);
  }

  /** The pattern that reads all entries of a table. */
  all(table: Tables<P>, options?: ReadOptions): Entity {
    return this.codec.all(table, options);
  }

  /** Reads a table from anything that reads, such as a P4RuntimeClient. */
  async *read<T extends Tables<P>>(
    source: { read(patterns: readonly Entity[]): AsyncIterable<Entity> },
    table: T,
    options?: ReadOptions,
  ): AsyncGenerator<TypedEntry<P, T>, void, undefined> {
    for await (const { entity } of source.read([this.all(table, options)])) {
      if (entity.case === 'tableEntry') yield this.decode(entity.value) as TypedEntry<P, T>;
    }
  }

  /** @throws P4RuntimeError 'unknown-name' when the entry is of another program */
  decode(entry: TableEntry): TypedEntry<P> {
    return this.codec.decode(entry) as TypedEntry<P>;
  }

  decodeDigest(list: DigestList): TypedDigest<P> {
    return decodeDigest(this.index, list) as TypedDigest<P>;
  }

  packetOut(metadata: P['packetOut']): PacketMetadata[] {
    return encodePacketOut(this.index, metadata as Record<string, number | bigint>);
  }

  packetIn(packet: PacketIn): P['packetIn'] {
    return decodePacketIn(this.index, packet.metadata);
  }
}

/** The compiler has checked names and values against P; what is left is a record of values. */
function untyped(match: object): Record<string, MatchValue> {
  return match as Record<string, MatchValue>;
}

function call(name: string, params: object): ActionCall {
  return { name, params: params as ActionCall['params'] & object };
}
