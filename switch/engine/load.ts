// SPDX-License-Identifier: Apache-2.0
/**
 * p4c's BMv2 JSON to a `Program`. Everything the real loader checks is checked here, and what this engine does not do
 * is refused by name and place: nothing is skipped in silence. All problems are found, not only the first.
 *
 * Sources: behavioral-model docs/JSON_format.md and src/bm_sim/P4Objects.cpp (what is accepted), p4c
 * backends/bmv2 (what is emitted).
 */

import type { Condition } from './expression.ts';
import { firstFreeSlot } from './layout.ts';
import { loadControl, loadTables } from './load-control.ts';
import { loadCondition, loadFieldRef, loadHeader, type Names, typed } from './load-expression.ts';
import { loadParser } from './load-parser.ts';
import { loadPrimitive, type Resources } from './load-primitive.ts';
import { ProgramError } from './pipeline.ts';
import type {
  Action,
  ActionProfile,
  Calculation,
  CalculationItem,
  Checksum,
  Control,
  CounterArray,
  Field,
  FieldList,
  FieldRef,
  HashAlgorithm,
  Header,
  HeaderStack,
  HeaderType,
  HeaderUnion,
  LearnList,
  MeterArray,
  Parser,
  Program,
  RegisterArray,
  StandardMetadata,
} from './program.ts';
import { Misfit, Reader } from './reader.ts';

const majorVersion = 2;
const minorVersionMax = 24;

/** Largest array of counters, meters or registers: what BMv2 programs use is far below. */
export const arraySizeMax = 1 << 24;

const noNames: Names = { headers: new Map(), stacks: new Map(), unions: new Map(), parameters: [] };

/** @throws ProgramError with every problem found */
export function load(json: unknown): Program {
  const loader = new Loader(new Reader(json, ''));
  return loader.load();
}

/** Sections are read in the order of their references; what fails is noted, and the rest goes on without it. */
class Loader {
  private readonly root: Reader;
  private readonly problems: string[] = [];
  private nextSlot = firstFreeSlot;
  private nextVarbitByte = 0;
  private nextUnassigned = 0;

  constructor(root: Reader) {
    this.root = root;
  }

  load(): Program {
    this.attempt(() => this.checkVersion());
    this.refuseUnknown();
    const headerTypes = this.section('header_types', (node) => this.headerType(node));
    const types = byName(headerTypes);
    const { headers, stacks, unions } = this.instances(types);
    const names: Names = {
      ...noNames,
      headers: byName(headers),
      stacks: byName(stacks),
      unions: byName(unions),
    };
    const errors = this.errors();
    const calculations = this.section('calculations', (node) => calculation(node, names));
    const counters = this.section('counter_arrays', counterArray);
    const meters = this.section('meter_arrays', (node) => meterArray(node, names));
    const registers = this.section('register_arrays', registerArray);
    const learnLists = this.section('learn_lists', (node) => fieldList(node, names), 1) as LearnList[];
    const fieldLists = this.section('field_lists', (node) => fieldList(node, names), 1);
    const resources: Resources = {
      ...names,
      calculations: byName(calculations),
      counters: byName(counters.filter((counter) => !counter.isDirect)),
      meters: byName(meters.filter((meter) => !meter.isDirect)),
      registers: byName(registers),
      learnLists: new Map(learnLists.map((list) => [list.id, list])),
      fieldLists: new Set(fieldLists.map((list) => list.id)),
    };
    const valueSets = new Set(
      this.section('parse_vsets', (node) => ({ name: node.get('name').string(), id: 0 })).map(
        (set) => set.name,
      ),
    );
    const parser = this.parser(resources, valueSets);
    const deparserOrder = this.deparser(names);
    const actions = this.section('actions', (node) => action(node, resources), 0, 'names may repeat');
    const checksums = this.section('checksums', (node) => checksum(node, resources));
    const profiles = this.profiles(names);
    const [ingress, egress] = this.controls(names, actions, profiles, meters);
    const standard = this.attempt(() => standardMetadata(this.root, names));
    if (this.problems.length > 0 || !standard) throw new ProgramError(this.problems);
    return {
      headerTypes,
      headers,
      stacks,
      unions,
      errors,
      standard,
      parser,
      deparserOrder,
      calculations,
      checksums,
      counters,
      meters,
      registers,
      learnLists,
      fieldLists,
      actions,
      ingress,
      egress,
      tables: [...ingress.tables, ...egress.tables],
      profiles,
      wordCount: this.nextSlot,
      varbitByteCount: this.nextVarbitByte,
    };
  }

  private attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      this.problems.push(error.message);
      return undefined;
    }
  }

  /** Reads a section item by item; names and ids must be unique in it. */
  private section<T extends { name: string; id?: number }>(
    key: string,
    read: (node: Reader) => T,
    firstId = 0,
    repeat: 'names are unique' | 'names may repeat' = 'names are unique',
  ): T[] {
    const items: T[] = [];
    const names = new Set<string>();
    const ids = new Set<number>();
    for (const node of this.attempt(() => this.root.get(key).optionalArray()) ?? []) {
      this.attempt(() => {
        const item = read(node);
        if (repeat === 'names are unique' && names.has(item.name))
          node.refuse(`the name ${item.name} is used twice`);
        const id = node.has('id') ? node.get('id').integer() : undefined;
        if (id !== undefined && ids.has(id)) node.refuse(`the id ${id} is used twice`);
        if (id !== undefined && id < firstId) node.refuse(`ids start at ${firstId}`);
        names.add(item.name);
        if (id !== undefined) ids.add(id);
        items.push(item);
      });
    }
    return items;
  }

  private checkVersion(): void {
    this.root.object();
    if (!this.root.has('__meta__')) return;
    const [major, minor] = this.root.get('__meta__').get('version').tuple(2) as [Reader, Reader];
    if (major.integer() !== majorVersion || minor.integer() > minorVersionMax) {
      major.refuse(
        `the JSON has version ${major.value}.${minor.value}; this engine reads ${majorVersion}.0 to ${majorVersion}.${minorVersionMax}`,
      );
    }
  }

  private refuseUnknown(): void {
    const unsupported: readonly [section: string, what: string][] = [
      ['extern_instances', 'extern instances (p4c --emit-externs) are not supported'],
      ['header_union_stacks', 'stacks of header unions are not supported'],
    ];
    for (const [section, what] of unsupported) {
      for (const node of this.attempt(() => this.root.get(section).optionalArray()) ?? []) {
        this.problems.push(`${node.place} (${String(node.get('name').value)}): ${what}`);
      }
    }
  }

  private headerType(node: Reader): HeaderType {
    const name = node.get('name').string();
    const at = node.called(name);
    const fields: Field[] = [];
    let bitOffset = 0;
    let slot = 1;
    let varbitBytes = 0;
    for (const item of at.get('fields').array()) {
      const [fieldName, width, signed, saturating] = item.array();
      if (!fieldName || !width) return item.refuse('a field is [name, width, signed]');
      if (saturating && saturating.value !== false) item.refuse('saturating fields are not supported');
      const varbit = width.value === '*';
      if (varbit) {
        if (varbitBytes > 0) item.refuse('a second varbit field');
        if (bitOffset % 8 !== 0) item.refuse('a varbit field that does not start at a byte is not supported');
        if (!at.has('max_length')) item.refuse('a varbit field without max_length');
        varbitBytes = at.get('max_length').integer(0, 65_535);
      }
      const bits = varbit ? 0 : width.integer(1, 65_535);
      const words = varbit ? 1 : Math.ceil(bits / 32);
      fields.push({
        name: fieldName.string(),
        width: varbit ? varbitBytes * 8 : bits,
        signed: signed?.value === true || signed?.value === 1,
        bitOffset,
        slot,
        words,
        varbit,
      });
      bitOffset += bits;
      slot += words;
    }
    if (new Set(fields.map((field) => field.name)).size !== fields.length)
      at.refuse('two fields have one name');
    const bytes = Math.ceil(bitOffset / 8);
    // max_length is that of the whole header.
    if (varbitBytes > 0) varbitBytes = Math.max(0, varbitBytes - bytes);
    for (const field of fields) if (field.varbit) field.width = varbitBytes * 8;
    return { name, id: at.get('id').integer(), fields, bytes, varbitBytes, stride: slot };
  }

  /** Headers, stacks and unions, placed in the word array: stack elements side by side, everything else as it comes. */
  private instances(types: ReadonlyMap<string, HeaderType>): {
    headers: Header[];
    stacks: HeaderStack[];
    unions: HeaderUnion[];
  } {
    const headers = this.section('headers', (node): Header => {
      const name = node.get('name').string();
      const id = node.get('id').integer();
      if (node.place !== `headers[${id}]`) node.refuse(`the id ${id} differs from the position`);
      const typeName = node.get('header_type');
      const type =
        types.get(typeName.string()) ?? typeName.refuse(`there is no header type ${typeName.value}`);
      const metadata = node.get('metadata').boolean();
      if (metadata && type.varbitBytes > 0) node.refuse('varbit metadata is not supported');
      if (
        !metadata &&
        type.fields.reduce((sum, field) => sum + (field.varbit ? 0 : field.width), 0) % 8 !== 0
      ) {
        node.refuse(`the width of ${type.name} is not a multiple of 8 bits`);
      }
      return { name, id, type, metadata, base: this.nextUnassigned, varbitBase: 0, union: undefined };
    });
    const byId = new Map(headers.map((header) => [header.id, header]));
    const members = (node: Reader, key: string): Header[] =>
      node
        .get(key)
        .array()
        .map((id) => byId.get(id.integer()) ?? id.refuse(`there is no header with the id ${id.value}`));

    const stacks = this.section('header_stacks', (node): HeaderStack => {
      const elements = members(node, 'header_ids');
      const first = elements[0];
      if (!first || elements.length !== node.get('size').integer())
        return node.refuse('size and header_ids differ');
      if (elements.some((header) => header.type !== first.type)) node.refuse('elements of different types');
      for (const header of elements) this.place(header);
      return {
        name: node.get('name').string(),
        id: node.get('id').integer(),
        type: first.type,
        headers: elements,
        next: this.nextSlot++,
      };
    });
    const unions = this.section('header_unions', (node): HeaderUnion => {
      const union: HeaderUnion = {
        name: node.get('name').string(),
        id: node.get('id').integer(),
        members: members(node, 'header_ids'),
      };
      for (const header of union.members) header.union = union;
      return union;
    });
    for (const header of headers) if (header.base === this.nextUnassigned) this.place(header);
    return { headers, stacks, unions };
  }

  private place(header: Header): void {
    header.base = this.nextSlot;
    header.varbitBase = this.nextVarbitByte;
    this.nextSlot += header.type.stride;
    this.nextVarbitByte += header.type.varbitBytes;
  }

  /** Core errors get numbers when the list leaves them out. */
  private errors(): Map<string, number> {
    const errors = new Map<string, number>();
    for (const node of this.attempt(() => this.root.get('errors').optionalArray()) ?? []) {
      this.attempt(() => {
        const [name, value] = node.tuple(2) as [Reader, Reader];
        if (errors.has(name.string())) node.refuse(`the error ${name.value} is listed twice`);
        errors.set(name.string(), value.integer());
      });
    }
    for (const name of coreErrors) {
      if (errors.has(name)) continue;
      let value = 0;
      while ([...errors.values()].includes(value)) value += 1;
      errors.set(name, value);
    }
    return errors;
  }

  private parser(names: Resources, valueSets: ReadonlySet<string>): Parser {
    const empty: Parser = { initState: undefined, states: [] };
    return (
      this.attempt(() => {
        const parsers = this.root.get('parsers').optionalArray();
        if (parsers.length > 1) this.root.get('parsers').refuse('more than one parser');
        return parsers[0] ? loadParser(parsers[0], names, valueSets, (work) => this.attempt(work)) : empty;
      }) ?? empty
    );
  }

  private deparser(names: Names): Header[] {
    const order = this.attempt(() => {
      const deparsers = this.root.get('deparsers').optionalArray();
      if (deparsers.length > 1) this.root.get('deparsers').refuse('more than one deparser');
      const [deparser] = deparsers;
      if (!deparser) return [];
      const primitives = deparser.get('primitives').optionalArray();
      if (primitives.length > 0) primitives[0]!.refuse('statements in the deparser are not supported');
      return deparser
        .get('order')
        .array()
        .map((name) => loadHeader(name, names));
    });
    return order ?? [];
  }

  /** Without their actions, which the tables bring. */
  private profiles(names: Names): ActionProfile[] {
    const profiles: ActionProfile[] = [];
    for (const pipeline of this.attempt(() => this.root.get('pipelines').array()) ?? []) {
      for (const node of this.attempt(() => pipeline.get('action_profiles').optionalArray()) ?? []) {
        this.attempt(() => {
          const profile = actionProfile(node, names);
          if (profiles.some(({ id }) => id === profile.id)) node.refuse(`the id ${profile.id} is used twice`);
          if (profiles.some(({ name }) => name === profile.name))
            node.refuse(`the name ${profile.name} is used twice`);
          profiles.push(profile);
        });
      }
    }
    return profiles;
  }

  private controls(
    names: Names,
    actions: readonly Action[],
    profiles: readonly ActionProfile[],
    meters: readonly MeterArray[],
  ): [Control, Control] {
    const nodeNames = new Set<string>();
    const tableIds = new Set<number>();
    const find = (name: 'ingress' | 'egress'): Control => {
      const nothing: Control = { name, first: null, tables: [], conditionals: [] };
      const control = this.attempt(() => {
        const pipelines = this.root.get('pipelines').array();
        const node = pipelines.find((pipeline) => pipeline.get('name').value === name);
        if (!node) return this.root.get('pipelines').refuse(`there is no pipeline called ${name}`);
        const attempt = <T>(work: () => T) => this.attempt(work);
        const tables = loadTables(
          node,
          name,
          {
            ...names,
            actions: new Map(actions.map((action) => [action.id, action])),
            profiles: byName(profiles),
            directMeters: byName(meters.filter((meter) => meter.isDirect)),
          },
          attempt,
        );
        for (const table of tables) {
          if (tableIds.has(table.id)) node.refuse(`the table id ${table.id} is used twice`);
          tableIds.add(table.id);
        }
        return loadControl(node, name, tables, names, nodeNames, attempt);
      });
      return control ?? nothing;
    };
    return [find('ingress'), find('egress')];
  }
}

const coreErrors = [
  'NoError',
  'PacketTooShort',
  'NoMatch',
  'StackOutOfBounds',
  'HeaderTooShort',
  'ParserTimeout',
  'ParserInvalidArgument',
];

const algorithms: ReadonlyMap<string, HashAlgorithm> = new Map([
  ['crc16', 'crc16'],
  ['crc16_custom', 'crc16'],
  ['crc32', 'crc32'],
  ['crc32_custom', 'crc32'],
  ['csum16', 'csum16'],
  ['cksum16', 'csum16'],
  ['xor16', 'xor16'],
  ['identity', 'identity'],
]);

function calculation(node: Reader, names: Names): Calculation {
  return hashing(node.get('name').string(), node, names);
}

/** @param node  has `algo` and `input` */
function hashing(name: string, node: Reader, names: Names): Calculation {
  const algo = node.get('algo');
  const algorithm =
    algorithms.get(algo.string()) ?? algo.refuse(`the hash algorithm "${algo.value}" is not supported`);
  return {
    name,
    algorithm,
    items: node
      .get('input')
      .array()
      .map((item) => calculationItem(item, names)),
  };
}

function calculationItem(item: Reader, names: Names): CalculationItem {
  const type = item.get('type').string();
  const value = item.get('value');
  switch (type) {
    case 'field': {
      const ref = loadFieldRef(value, names);
      if (ref.field.name === '$valid$') value.refuse('$valid$ cannot be hashed');
      return { kind: 'field', ref };
    }
    case 'hexstr':
      return { kind: 'constant', value: value.hex(), width: item.get('bitwidth').integer(1, 65_535) };
    case 'header': {
      const header = loadHeader(value, names);
      return { kind: 'header', header };
    }
    case 'payload':
      return { kind: 'payload' };
    default:
      return item.refuse(`an input of type "${type}" is not supported`);
  }
}

function checksum(node: Reader, names: Resources): Checksum {
  const name = node.get('name').string();
  const at = node.called(name);
  if (at.get('type').string() !== 'generic') at.refuse(`a checksum of type "${at.get('type').value}"`);
  const calculationName = at.get('calculation');
  const found = names.calculations.get(calculationName.string());
  const always: Condition = { op: 'constant', value: true };
  const flag = (key: string) => (at.has(key) ? at.get(key).boolean() : true);
  return {
    name,
    target: loadFieldRef(at.get('target'), names),
    calculation: found ?? calculationName.refuse(`there is no calculation ${calculationName.value}`),
    verify: flag('verify'),
    update: flag('update'),
    condition: at.get('if_cond').isNull() ? always : loadCondition(at.get('if_cond'), names),
  };
}

function counterArray(node: Reader): CounterArray {
  const isDirect = node.get('is_direct').value === true;
  return {
    name: node.get('name').string(),
    id: node.get('id').integer(),
    isDirect,
    size: isDirect ? 0 : node.get('size').integer(0, arraySizeMax),
    binding: node.get('binding').isNull() ? undefined : node.get('binding').string(),
  };
}

function meterArray(node: Reader, names: Names): MeterArray {
  const name = node.get('name').string();
  const at = node.called(name);
  if (at.get('rate_count').integer() !== 2) at.get('rate_count').refuse('only meters of two rates exist');
  const unit = at.get('type');
  if (unit.value !== 'packets' && unit.value !== 'bytes')
    return unit.refuse(`a meter of "${unit.value}"; there are packets and bytes`);
  const isDirect = at.get('is_direct').value === true;
  return {
    name,
    id: at.get('id').integer(),
    isDirect,
    size: isDirect ? 0 : at.get('size').integer(0, arraySizeMax),
    unit: unit.value,
    target: isDirect ? loadFieldRef(at.get('result_target'), names) : undefined,
  };
}

function actionProfile(node: Reader, names: Names): ActionProfile {
  const name = node.get('name').string();
  const at = node.called(name);
  const selector = at.get('selector');
  return {
    name,
    id: at.get('id').integer(),
    selector: selector.isNull() ? undefined : hashing(`selector of ${name}`, selector, names),
    actions: [],
  };
}

function registerArray(node: Reader): RegisterArray {
  return {
    name: node.get('name').string(),
    id: node.get('id').integer(),
    size: node.get('size').integer(0, arraySizeMax),
    width: node.get('bitwidth').integer(1, 2048),
  };
}

function fieldList(node: Reader, names: Names): FieldList {
  return {
    name: node.get('name').string(),
    id: node.get('id').integer(),
    elements: node
      .get('elements')
      .array()
      .map((element) => {
        const ref = loadFieldRef(typed(element, 'field'), names);
        if (ref.field.varbit) element.refuse('a varbit field cannot be in a list');
        return ref;
      }),
  };
}

function action(node: Reader, names: Resources): Action {
  const name = node.get('name').string();
  const parameters = node
    .get('runtime_data')
    .array()
    .map((item) => ({ name: item.get('name').string(), width: item.get('bitwidth').integer(1, 2048) }));
  const within = new Reader(node.value, `${node.place} (${name})`);
  const primitives = within
    .get('primitives')
    .array()
    .map((item) => loadPrimitive(item, { ...names, parameters }));
  for (const [index, primitive] of primitives.entries()) {
    if (
      (primitive.op === 'jump' || primitive.op === 'jump_if_zero') &&
      (primitive.to < 0 || primitive.to > primitives.length)
    ) {
      within.refuse(`primitive ${index} jumps to ${primitive.to}, outside the action`);
    }
  }
  return { name, id: node.get('id').integer(), parameters, primitives };
}

function standardMetadata(root: Reader, names: Names): StandardMetadata {
  const header =
    names.headers.get('standard_metadata') ?? root.refuse('there is no header standard_metadata');
  const find = (name: string): FieldRef | undefined => {
    const field = header.type.fields.find((candidate) => candidate.name === name);
    return field && { header, field };
  };
  const need = (name: string): FieldRef =>
    find(name) ?? root.refuse(`standard_metadata has no field ${name}`);
  // BMv2 looks these features up by alias: without the alias the feature does not exist.
  const aliases = new Map(
    root
      .get('field_aliases')
      .optionalArray()
      .map((alias) => {
        const [name, ref] = alias.tuple(2) as [Reader, Reader];
        return [name.string(), loadFieldRef(ref, names)] as const;
      }),
  );
  const ofWidth = (ref: FieldRef | undefined, min: number, max: number): FieldRef | undefined => {
    if (!ref || (ref.field.width >= min && ref.field.width <= max)) return ref;
    return root.refuse(
      `${ref.header.name}.${ref.field.name} has ${ref.field.width} bits, not ${min} to ${max}`,
    );
  };
  const port = (name: string) => ofWidth(need(name), 1, 31)!;
  const word = (name: string) => ofWidth(need(name), 32, 32)!;
  const queueing = ['enq_timestamp', 'enq_qdepth', 'deq_timedelta', 'deq_qdepth'];
  const hasQueueing = queueing.every((name) => aliases.has(`queueing_metadata.${name}`));
  return {
    ingressPort: port('ingress_port'),
    packetLength: word('packet_length'),
    instanceType: word('instance_type'),
    egressSpec: port('egress_spec'),
    egressPort: port('egress_port'),
    parserError: find('parser_error'),
    checksumError: find('checksum_error'),
    ingressTimestamp: ofWidth(aliases.get('intrinsic_metadata.ingress_global_timestamp'), 48, 48),
    egressTimestamp: ofWidth(aliases.get('intrinsic_metadata.egress_global_timestamp'), 48, 48),
    enqueueTimestamp: hasQueueing
      ? ofWidth(aliases.get('queueing_metadata.enq_timestamp'), 32, 32)
      : undefined,
    multicastGroup: ofWidth(aliases.get('intrinsic_metadata.mcast_grp'), 1, 32),
    egressRid: ofWidth(aliases.get('intrinsic_metadata.egress_rid'), 16, 16),
  };
}

function byName<T extends { name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}
