// SPDX-License-Identifier: Apache-2.0
/**
 * p4c's BMv2 JSON to a `Program`. Everything the real loader checks is checked here, and what this engine does not do
 * is refused by name and place: nothing is skipped in silence. All problems are found, not only the first.
 *
 * Sources: behavioral-model docs/JSON_format.md and src/bm_sim/P4Objects.cpp (what is accepted), p4c
 * backends/bmv2 (what is emitted).
 */

import { loadCalculation, loadChecksum, loadHashing } from './load-calculation.ts';
import { loadControl, loadTables } from './load-control.ts';
import { loadFieldRef, loadHeader, type Names, typed } from './load-expression.ts';
import { loadHeaders } from './load-headers.ts';
import { loadParser } from './load-parser.ts';
import { loadPrimitive, type Resources } from './load-primitive.ts';
import { loadStandardMetadata, metadataFinder } from './load-standard-metadata.ts';
import { ProgramError } from './pipeline.ts';
import type {
  Action,
  ActionProfile,
  Control,
  CounterArray,
  FieldList,
  Header,
  LearnList,
  MeterArray,
  Parser,
  Primitive,
  Program,
  RegisterArray,
  ValueSet,
} from './program.ts';
import { Reader } from './reader.ts';
import { byName, Sections } from './sections.ts';

/** The newest JSON that is read is `majorVersion.minorVersionMax`. */
export const majorVersion = 2;
export const minorVersionMax = 24;

/** Largest array of counters, meters or registers: what BMv2 programs use is far below. */
export const arraySizeMax = 1 << 24;

/** All counters and registers of a program together. */
export const arrayBytesMax = 1 << 30;

/** Primitives of one action. */
const primitivesMax = 65_536;

/** @throws ProgramError with every problem found */
export function load(json: unknown): Program {
  const loader = new Loader(new Reader(json, ''));
  return loader.load();
}

/** Sections are read in the order of their references. */
class Loader {
  private readonly root: Reader;
  private readonly sections: Sections;

  constructor(root: Reader) {
    this.root = root;
    this.sections = new Sections(root);
  }

  load(): Program {
    const { sections } = this;
    sections.attempt(() => this.checkVersion());
    this.refuseExterns();
    const registers = sections.read('register_arrays', registerArray);
    const { types: headerTypes, headers, stacks, unions, unionStacks, ...room } = loadHeaders(sections);
    const names: Names = {
      headers: byName(headers),
      stacks: byName(stacks),
      unions: byName(unions),
      unionStacks: byName(unionStacks),
      registers: byName(registers),
      parameters: [],
    };
    const findMetadata = sections.attempt(() => metadataFinder(this.root, names)) ?? (() => undefined);
    const errors = this.errors();
    const calculations = sections.read('calculations', (node) => loadCalculation(node, names));
    const counters = sections.read('counter_arrays', counterArray);
    const meters = sections.read('meter_arrays', (node) => meterArray(node, names));
    // p4c makes a list for each place where a digest is asked for, all of the name of its type.
    const learnLists = sections.read(
      'learn_lists',
      (node) => fieldList(node, names),
      1,
      'names may repeat',
    ) as LearnList[];
    const fieldLists = sections.read('field_lists', (node) => fieldList(node, names), 1, 'names may repeat');
    const resources: Resources = {
      ...names,
      calculations: byName(calculations),
      counters: byName(counters.filter((counter) => !counter.isDirect)),
      meters: byName(meters.filter((meter) => !meter.isDirect)),
      learnLists: new Map(learnLists.map((list) => [list.id, list])),
      fieldLists: new Set(fieldLists.map((list) => list.id)),
      multicastGroup: findMetadata('intrinsic_metadata', 'mcast_grp'),
    };
    const valueSets = sections.read('parse_vsets', valueSet);
    const parser = this.parser(resources, byName(valueSets));
    const { order, primitives } = this.deparser(resources);
    const actions = sections.read('actions', (node) => action(node, resources), 0, 'names may repeat');
    const checksums = sections.read('checksums', (node) => loadChecksum(node, resources));
    const profiles = this.profiles(names);
    const [ingress, egress] = this.controls(names, actions, profiles, meters);
    const standard = sections.attempt(() => loadStandardMetadata(this.root, findMetadata));
    sections.attempt(() => this.checkArrayBytes(counters, registers));
    if (sections.problems.length > 0 || !standard) throw new ProgramError(sections.problems);
    return {
      headerTypes,
      headers,
      stacks,
      unions,
      unionStacks,
      errors,
      standard,
      parser,
      valueSets,
      deparserPrimitives: primitives,
      deparserOrder: order,
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
      ...room,
    };
  }

  private checkVersion(): void {
    this.root.object();
    if (!this.root.get('__meta__').has('version')) return;
    const [major, minor] = this.root.get('__meta__').get('version').tuple(2) as [Reader, Reader];
    if (major.integer() !== majorVersion || minor.integer() > minorVersionMax) {
      major.refuse(
        `the JSON has version ${major.value}.${minor.value}; this engine reads ${majorVersion}.0 to ${majorVersion}.${minorVersionMax}`,
      );
    }
  }

  private refuseExterns(): void {
    for (const node of this.sections.attempt(() => this.root.get('extern_instances').optionalArray()) ?? []) {
      this.sections.attempt(() =>
        node
          .called(node.get('name').shown())
          .refuse(
            `an extern of type ${node.get('type').shown()} (p4c --emit-externs), which this switch does not have`,
          ),
      );
    }
  }

  private checkArrayBytes(counters: readonly CounterArray[], registers: readonly RegisterArray[]): void {
    const bytes =
      counters.reduce((sum, { size }) => sum + 16 * size, 0) +
      registers.reduce((sum, { size, width }) => sum + 4 * Math.ceil(width / 32) * size, 0);
    if (bytes > arrayBytesMax)
      this.root.refuse(
        `counter_arrays and register_arrays: ${bytes} bytes of cells; there is room for ${arrayBytesMax}`,
      );
  }

  /** Core errors get numbers when the list leaves them out. */
  private errors(): Map<string, number> {
    const errors = new Map<string, number>();
    for (const node of this.sections.attempt(() => this.root.get('errors').optionalArray()) ?? []) {
      this.sections.attempt(() => {
        const [name, value] = node.tuple(2) as [Reader, Reader];
        if (errors.has(name.string())) node.refuse(`the error ${name.value} is listed twice`);
        errors.set(name.name(), value.integer());
      });
    }
    const taken = new Set(errors.values());
    for (const name of coreErrors) {
      if (errors.has(name)) continue;
      let value = 0;
      while (taken.has(value)) value += 1;
      taken.add(value);
      errors.set(name, value);
    }
    return errors;
  }

  private parser(names: Resources, valueSets: ReadonlyMap<string, ValueSet>): Parser {
    const empty: Parser = { initState: undefined, states: [] };
    return (
      this.sections.attempt(() => {
        const parsers = this.root.get('parsers').optionalArray();
        if (parsers.length > 1) this.root.get('parsers').refuse('more than one parser');
        return parsers[0] ? loadParser(parsers[0], names, valueSets, this.sections.attempt) : empty;
      }) ?? empty
    );
  }

  private deparser(names: Resources): { order: Header[]; primitives: Primitive[] } {
    const deparser = this.sections.attempt(() => {
      const deparsers = this.root.get('deparsers').optionalArray();
      if (deparsers.length > 1) this.root.get('deparsers').refuse('more than one deparser');
      return deparsers[0];
    });
    if (!deparser) return { order: [], primitives: [] };
    const order = this.sections.attempt(() => {
      const listed = deparser
        .get('order')
        .array()
        .map((name) => loadHeader(name, names));
      const bytes = listed.reduce((sum, { type }) => sum + type.bytes + type.varbitBytes, 0);
      if (bytes > deparsedBytesMax)
        deparser.get('order').refuse(`${bytes} bytes of headers; there is room for ${deparsedBytesMax}`);
      return listed;
    });
    const listed = this.sections.attempt(() => deparser.get('primitives').optionalArray()) ?? [];
    const primitives = listed.flatMap((node) => {
      const primitive = this.sections.attempt(() => refuseJump(node, loadPrimitive(node, names)));
      return primitive ? [primitive] : [];
    });
    return { order: order ?? [], primitives };
  }

  /** Without their actions, which the tables bring. */
  private profiles(names: Names): ActionProfile[] {
    const profiles: ActionProfile[] = [];
    for (const pipeline of this.sections.attempt(() => this.root.get('pipelines').array()) ?? []) {
      for (const node of this.sections.attempt(() => pipeline.get('action_profiles').optionalArray()) ?? []) {
        this.sections.attempt(() => {
          const profile = actionProfile(node, names);
          if (profiles.some(({ id }) => id === profile.id)) node.refuse(`the id ${profile.id} is used twice`);
          if (profiles.some(({ name }) => name === profile.name))
            node.refuse(`the name ${profile.name} is used twice`);
          profiles.push(profile);
        });
      }
    }
    for (const profile of this.oldProfiles(names)) {
      if (!profiles.some(({ name, id }) => id === profile.id || name === profile.name))
        profiles.push(profile);
    }
    return profiles;
  }

  /** In old JSON a profile has no section: tables name it, and bring its selector. */
  private oldProfiles(names: Names): ActionProfile[] {
    const pipelines = this.sections.attempt(() => this.root.get('pipelines').array()) ?? [];
    return pipelines.flatMap((pipeline) =>
      (this.sections.attempt(() => pipeline.get('tables').optionalArray()) ?? []).flatMap((table) => {
        const name = table.get('act_prof_name');
        if (name.isNull() || table.has('action_profile')) return [];
        const profile = this.sections.attempt(() => profileOf(name.name(), table, names));
        return profile ? [profile] : [];
      }),
    );
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
      const nothing: Control = { name, first: null, tables: [], conditionals: [], actionCalls: [] };
      const control = this.sections.attempt(() => {
        const pipelines = this.root.get('pipelines').array();
        const node = pipelines.find((pipeline) => pipeline.get('name').value === name);
        if (!node) return this.root.get('pipelines').refuse(`there is no pipeline called ${name}`);
        const { attempt } = this.sections;
        const resources = {
          ...names,
          actions: new Map(actions.map((action) => [action.id, action])),
          profiles: byName(profiles),
          directMeters: byName(meters.filter((meter) => meter.isDirect)),
        };
        const tables = loadTables(node, name, resources, attempt);
        for (const table of tables) {
          if (tableIds.has(table.id)) node.refuse(`the table id ${table.id} is used twice`);
          tableIds.add(table.id);
        }
        return loadControl(node, name, tables, resources, nodeNames, attempt);
      });
      return control ?? nothing;
    };
    return [find('ingress'), find('egress')];
  }
}

/** All headers of the deparser together: what may stand in front of a payload. */
const deparsedBytesMax = 1 << 20;

const coreErrors = [
  'NoError',
  'PacketTooShort',
  'NoMatch',
  'StackOutOfBounds',
  'HeaderTooShort',
  'ParserTimeout',
  'ParserInvalidArgument',
];

function counterArray(node: Reader): CounterArray {
  const isDirect = node.get('is_direct').value === true;
  return {
    name: node.get('name').name(),
    id: node.get('id').integer(),
    isDirect,
    size: isDirect ? 0 : node.get('size').integer(0, arraySizeMax),
    binding: node.get('binding').nullableString() ?? undefined,
  };
}

function meterArray(node: Reader, names: Names): MeterArray {
  const name = node.get('name').name();
  const at = node.called(name);
  if (at.get('rate_count').integer() !== 2) at.get('rate_count').refuse('only meters of two rates exist');
  const unit = at.get('type');
  if (unit.value !== 'packets' && unit.value !== 'bytes')
    return unit.refuse(`a meter of ${unit.shown()}; there are packets and bytes`);
  const isDirect = at.get('is_direct').value === true;
  return {
    name,
    id: at.get('id').integer(),
    isDirect,
    size: isDirect ? 0 : at.get('size').integer(0, arraySizeMax),
    unit: unit.value,
    target: isDirect ? resultTarget(at.get('result_target'), names) : undefined,
  };
}

function resultTarget(pair: Reader, names: Names) {
  const ref = loadFieldRef(pair, names);
  if (ref.field.varbit || ref.field.name === '$valid$') pair.refuse('no place for a colour');
  return ref;
}

function valueSet(node: Reader): ValueSet {
  const name = node.get('name').name();
  const width = node.get('compressed_bitwidth').integer(1, 65_535);
  return { name, id: node.get('id').integer(), width };
}

function actionProfile(node: Reader, names: Names): ActionProfile {
  const name = node.get('name').name();
  return profileOf(name, node, names);
}

/** @param node  has `id`, and `selector` where there is one */
function profileOf(name: string, node: Reader, names: Names): ActionProfile {
  const at = node.called(name);
  const selector = at.get('selector');
  return {
    name,
    id: at.get('id').integer(),
    selector: selector.isNull() ? undefined : loadHashing(`selector of ${name}`, selector, names),
    actions: [],
  };
}

function registerArray(node: Reader): RegisterArray {
  return {
    name: node.get('name').name(),
    id: node.get('id').integer(),
    size: node.get('size').integer(0, arraySizeMax),
    width: node.get('bitwidth').integer(1, 2048),
  };
}

function fieldList(node: Reader, names: Names): FieldList {
  return {
    name: node.get('name').name(),
    id: node.get('id').integer(),
    elements: node
      .get('elements')
      .array()
      .map((element) => {
        const ref = loadFieldRef(typed(element, 'field'), names);
        if (ref.field.varbit || ref.field.name === '$valid$')
          element.refuse(`${ref.header.name}.${ref.field.name} cannot be in a list`);
        return ref;
      }),
  };
}

/** Jumps make sense among the primitives of an action only. */
function refuseJump(node: Reader, primitive: Primitive): Primitive {
  if (primitive.op === 'jump' || primitive.op === 'jump_if_zero') node.refuse('a jump outside an action');
  return primitive;
}

function action(node: Reader, names: Resources): Action {
  const name = node.get('name').name();
  const parameters = node
    .get('runtime_data')
    .array()
    .map((item) => ({ name: item.get('name').name(), width: item.get('bitwidth').integer(1, 2048) }));
  const within = new Reader(node.value, `${node.place} (${name})`);
  const listed = within.get('primitives').array();
  if (listed.length > primitivesMax) within.refuse(`more than ${primitivesMax} primitives`);
  const primitives = listed.map((item) => loadPrimitive(item, { ...names, parameters }));
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
