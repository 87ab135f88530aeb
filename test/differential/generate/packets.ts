// SPDX-License-Identifier: Apache-2.0
/**
 * Random packets for any program, made from its JSON alone: a walk through the parser lays out headers, selects pin the
 * bits they ask for, key fields get values that entries have. Some are then cut, changed or thrown away for noise.
 */

import { create } from '@bufbuild/protobuf';
import type { Dice } from '../../../controller/core/testing/dice.ts';
import { type FieldMatch, PacketMetadataSchema } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { cpuPort } from '../embedded.ts';
import type { TestProgram } from '../programs.ts';
import type { Packet } from '../script.ts';
import { BitWriter } from './bits.ts';
import type { Bmv2Json, JsonTable, Operand, ParseState } from './bmv2-json.ts';
import { canonical, tooWide } from './keys.ts';
import type { Vocabulary } from './vocabulary.ts';
import type { WriteMaker } from './writes.ts';

const portMax = 7;
/** States a walk visits; a loop of a parser ends there. */
const stepsMax = 24;
const payloadBytesMax = 60;

interface Place {
  readonly offset: number;
  readonly width: number;
}

type Header = readonly { readonly name: string; readonly width: number | '*' }[];

export class PacketMaker {
  readonly #program: TestProgram;
  readonly #dice: Dice;
  readonly #vocabulary: Vocabulary;
  readonly #writes: WriteMaker;
  readonly #json: Bmv2Json;
  readonly #headers: ReadonlyMap<string, Header>;
  readonly #states: ReadonlyMap<string, ParseState>;
  readonly #tables: ReadonlyMap<string, JsonTable>;

  constructor(program: TestProgram, dice: Dice, vocabulary: Vocabulary, writes: WriteMaker) {
    this.#program = program;
    this.#dice = dice;
    this.#vocabulary = vocabulary;
    this.#writes = writes;
    this.#json = JSON.parse(program.json) as Bmv2Json;
    const types = new Map(
      this.#json.header_types.map(({ name, fields }) => [
        name,
        fields.map(([field, width]) => ({ name: field, width })),
      ]),
    );
    this.#headers = new Map(
      [...this.#json.headers, ...this.#json.header_stacks].map(({ name, header_type }) => [
        name,
        types.get(header_type) ?? [],
      ]),
    );
    this.#states = new Map(this.#json.parsers[0]!.parse_states.map((state) => [state.name, state]));
    const tables = this.#json.pipelines.flatMap((pipeline) => pipeline.tables);
    this.#tables = new Map(tables.map((table) => [table.name, table]));
    for (const table of tables) this.#rememberEntries(table);
  }

  packet(): Packet {
    const dice = this.#dice;
    const { packetMetadata } = this.#program.index;
    const packetOut = packetMetadata.all().find(({ name }) => name === 'packet_out');
    const isFromController = packetOut !== undefined && dice.chance(0.2);
    const walk = new Walk(isFromController ? cpuPort : dice.integer(0, portMax));
    this.#walk(walk, isFromController ? packetOut.name : undefined);
    this.#meetAnEntry(walk);
    const noisy = this.#noise(this.#withPayload(walk.bits.bytes()));
    // simple_switch_grpc takes an empty frame for none.
    const bytes = noisy.length === 0 ? Uint8Array.of(0) : noisy;
    if (!isFromController) return { kind: 'frame', port: walk.port, frame: bytes };
    const metadata = packetOut.fields
      .filter(() => dice.chance(0.99))
      .map(({ id, bitwidth }) =>
        create(PacketMetadataSchema, {
          metadataId: dice.chance(0.99) ? id : 55,
          value: dice.chance(0.99) ? canonical(this.#vocabulary.value(bitwidth)) : tooWide(bitwidth),
        }),
      );
    return { kind: 'packet-out', payload: bytes, metadata };
  }

  #rememberEntries(table: JsonTable): void {
    for (const { match_key } of table.entries ?? []) {
      for (const [position, part] of match_key.entries()) {
        const [header, field] = table.key[position]!.target;
        const width = this.#headers.get(header)?.find(({ name }) => name === field)?.width;
        if (typeof width !== 'number') continue;
        for (const value of [part.key, part.start, part.end]) {
          if (value !== undefined) this.#vocabulary.remember(width, BigInt.asUintN(width, BigInt(value)));
        }
      }
    }
  }

  /** @param hidden  the header the switch itself puts in front of a packet-out */
  #walk(walk: Walk, hidden: string | undefined): void {
    let state = this.#states.get(this.#json.parsers[0]!.init_state);
    let skipsFirst = hidden !== undefined;
    for (let count = 0; state && count < stepsMax && !walk.bits.isFull; count++) {
      for (const { op, parameters } of state.parser_ops) {
        if (op === 'extract' || op === 'extract_VL') {
          const isHidden = skipsFirst;
          skipsFirst = false;
          if (!isHidden) this.#extract(walk, parameters);
        } else if (op === 'set') this.#set(walk, parameters);
        else if (op === 'advance') walk.bits.skip(Number(evaluate(walk, parameters[0]!) ?? 8n) & 0x3ff);
      }
      state = this.#next(walk, state);
    }
  }

  #extract(walk: Walk, [target, length]: readonly Operand[]): void {
    const name = String(Array.isArray(target!.value) ? target!.value[0] : target!.value);
    for (const { name: field, width } of this.#headers.get(name) ?? []) {
      if (width === '*') {
        const bits = Number((length && evaluate(walk, length)) ?? BigInt(8 * this.#dice.integer(0, 20)));
        for (let bit = 0; bit < bits && bit < 2048; bit += 8) walk.bits.append(this.#vocabulary.value(8), 8);
        continue;
      }
      const offset = walk.bits.append(this.#vocabulary.value(width), width);
      walk.places.set(`${name}.${field}`, { offset, width });
    }
  }

  /** Metadata that repeats bits of the packet can be pinned through it. */
  #set(walk: Walk, [target, source]: readonly Operand[]): void {
    const name = (target!.value as string[]).join('.');
    const from = stripped(source!);
    walk.places.delete(name);
    if (from.type === 'lookahead') {
      const [offset, width] = from.value as [number, number];
      walk.places.set(name, { offset: walk.bits.length + offset, width });
    } else if (from.type === 'field' || from.type === 'stack_field') {
      const place = walk.places.get((from.value as string[]).join('.'));
      if (place) walk.places.set(name, place);
    }
  }

  #next(walk: Walk, state: ParseState): ParseState | undefined {
    const transitions = state.transitions.filter(({ type }) => type !== 'parse_vset');
    if (transitions.length === 0) return undefined;
    const chosen = this.#dice.pick(transitions);
    if (chosen.type === 'default' || chosen.value === null) return this.#states.get(chosen.next_state ?? '');
    let value = BigInt(chosen.value);
    let mask = chosen.mask === null ? undefined : BigInt(chosen.mask);
    // Components are padded to bytes and stand side by side.
    for (const component of state.transition_key.toReversed()) {
      const place = this.#placeOf(walk, component);
      const width = place?.width ?? this.#widthOf(component);
      const bits = BigInt(8 * Math.ceil(width / 8));
      const part = BigInt.asUintN(width, value);
      const partMask = mask === undefined ? undefined : BigInt.asUintN(width, mask);
      if (place) walk.bits.pin(place.offset, part, width, partMask);
      else if (isIngressPort(component)) walk.port = Number(part);
      value >>= bits;
      if (mask !== undefined) mask >>= bits;
    }
    return this.#states.get(chosen.next_state ?? '');
  }

  #placeOf(walk: Walk, component: Operand): Place | undefined {
    if (component.type === 'lookahead') {
      const [offset, width] = component.value as [number, number];
      return { offset: walk.bits.length + offset, width };
    }
    return Array.isArray(component.value) ? walk.places.get(component.value.join('.')) : undefined;
  }

  #widthOf(component: Operand): number {
    if (!Array.isArray(component.value)) return 8;
    const [header, field] = component.value as [string, string];
    const width = this.#headers.get(header)?.find(({ name }) => name === field)?.width;
    return typeof width === 'number' ? width : 8;
  }

  /** Gives key fields the values of one entry. */
  #meetAnEntry(walk: Walk): void {
    const { installed } = this.#writes;
    if (installed.length === 0 || !this.#dice.chance(0.7)) return;
    for (let count = this.#dice.integer(1, 3); count > 0; count--) {
      const { table, match } = this.#dice.pick(installed);
      const json = this.#tables.get(table.name);
      for (const each of match) {
        const position = table.fields.findIndex(({ id }) => id === each.fieldId);
        const target = json?.key[position]?.target;
        const place = Array.isArray(target) ? walk.places.get(target.join('.')) : undefined;
        if (!place) continue;
        const value = this.#matching(each, place.width, walk.bits.read(place.offset, place.width));
        walk.bits.pin(place.offset, value, place.width);
      }
    }
  }

  /** A value the field match accepts, often just so. */
  #matching({ fieldMatchType: given }: FieldMatch, width: number, before: bigint): bigint {
    const dice = this.#dice;
    const number = (bytes: Uint8Array) => BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);
    switch (given.case) {
      case 'exact':
      case 'optional':
        return BigInt.asUintN(width, number(given.value.value));
      case 'lpm': {
        const free = BigInt(Math.max(0, width - given.value.prefixLen));
        return number(given.value.value) | BigInt.asUintN(Number(free), before);
      }
      case 'ternary': {
        const mask = number(given.value.mask);
        return BigInt.asUintN(width, (number(given.value.value) & mask) | (before & ~mask));
      }
      case 'range': {
        const low = number(given.value.low);
        const high = number(given.value.high);
        return BigInt.asUintN(width, dice.pick([low, high, (low + high) / 2n, low - 1n, high + 1n]));
      }
      default:
        return before;
    }
  }

  #withPayload(bytes: Uint8Array): Uint8Array {
    const dice = this.#dice;
    const payload = Uint8Array.from({ length: dice.integer(0, payloadBytesMax) }, () => dice.integer(0, 255));
    return Uint8Array.from([...bytes, ...(dice.chance(0.8) ? payload : [])]);
  }

  #noise(bytes: Uint8Array): Uint8Array {
    const dice = this.#dice;
    const luck = dice.next();
    if (luck < 0.1) return bytes.slice(0, Math.max(1, dice.integer(0, bytes.length)));
    if (luck < 0.18) {
      for (let count = dice.integer(1, 4); count > 0 && bytes.length > 0; count--) {
        bytes[dice.integer(0, bytes.length - 1)] = dice.integer(0, 255);
      }
    }
    if (luck > 0.97) {
      return Uint8Array.from({ length: dice.integer(1, 120) }, () => dice.integer(0, 255));
    }
    return bytes;
  }
}

class Walk {
  readonly bits = new BitWriter();
  /** Where a field stands, by `header.field`; of a stack, that of the last element. */
  readonly places = new Map<string, Place>();
  port: number;

  constructor(port: number) {
    this.port = port;
  }
}

function isIngressPort({ value }: Operand): boolean {
  return Array.isArray(value) && value.join('.') === 'standard_metadata.ingress_port';
}

function stripped(operand: Operand): Operand {
  let node = operand;
  while (node.type === 'expression') node = node.value as Operand;
  return node;
}

/** @returns undefined for what cannot be known from the packet alone */
function evaluate(walk: Walk, operand: Operand): bigint | undefined {
  const node = stripped(operand);
  if (node.type === 'hexstr') return BigInt(String(node.value));
  if (node.type === 'field') {
    const place = walk.places.get((node.value as string[]).join('.'));
    return place && walk.bits.read(place.offset, place.width);
  }
  if (node.type === 'lookahead') {
    const [offset, width] = node.value as [number, number];
    return walk.bits.read(walk.bits.length + offset, width);
  }
  const left = node.left ? evaluate(walk, node.left) : undefined;
  const right = node.right ? evaluate(walk, node.right) : undefined;
  if (left === undefined || right === undefined) return undefined;
  switch (node.op) {
    case '+':
      return left + right;
    case '-':
      return left > right ? left - right : 0n;
    case '*':
      return left * right;
    case '&':
      return left & right;
    case '|':
      return left | right;
    case '<<':
      return left << BigInt.asUintN(8, right);
    case '>>':
      return left >> right;
    default:
      return undefined;
  }
}
