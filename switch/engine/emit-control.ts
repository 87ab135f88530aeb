// SPDX-License-Identifier: Apache-2.0
/** A generated control, `ingress()` or `egress()`: tables and conditionals in structured order. */

import { type EmitOptions, emitAction, emitBranch, emitMeter } from './emit-action.ts';
import { emitCalculation } from './emit-calculation.ts';
import type { Emitter } from './emitter.ts';
import { slots } from './layout.ts';
import { successorsOf } from './load-control.ts';
import { dataWords, parameterPlan } from './memory.ts';
import { throughGroup, throughMember } from './pipeline.ts';
import type { Action, ActionCall, ActionProfile, Conditional, Control, Table } from './program.ts';
import { emitStructured, end, type Ways } from './structure.ts';
import type { KeyPlan } from './tables/key.ts';
import { keyArguments } from './tables/lookup.ts';
import { canonicalWords, conditionCode, literal, type Scope, slotWord, type Word } from './words.ts';

/** What the code of a table depends on. */
export interface TablePlan {
  table: Table;
  key: KeyPlan;
  /** Words of action data per row. */
  stride: number;
}

const exitSlot = slotWord(slots.exit, 'exit');

/** Defines `function action_<id>(data, at)`: the parameters are words of `data` from `at` on. */
export function emitActionFunction(action: Action, options: EmitOptions, out: Emitter): void {
  const plan = parameterPlan(action);
  const parameter = (index: number): Word[] => {
    const { at, width } = plan[index]!;
    return Array.from({ length: Math.ceil(width / 32) }, (_, word) => ({
      code: `data[at${at + word === 0 ? '' : ` + ${at + word}`} /* ${action.parameters[index]!.name} */]`,
      bits: Math.min(32, width - 32 * word),
    }));
  };
  out.line(`// ${action.name}`);
  out.block(`function action_${action.id}(data, at)`, () =>
    emitAction(action, scopeOf(action, parameter, out, options), options),
  );
}

export function emitControl(
  control: Control,
  plans: ReadonlyMap<number, TablePlan>,
  options: EmitOptions,
  out: Emitter,
): void {
  const nodes = [...control.tables, ...control.conditionals, ...control.actionCalls];
  const indexOf = new Map(nodes.map((node, index) => [node.name, index]));
  const target = (name: string | null) => (name === null ? end : indexOf.get(name)!);
  const statements = new Statements(control, options, out);
  out.block(`function ${control.name}()`, () => {
    emitStructured(
      {
        name: control.name,
        entry: target(control.first),
        successors: nodes.map((node) => {
          return [...new Set(nextOf(node).map(target))];
        }),
        emit: (index, ways, to) => {
          const node = nodes[index]!;
          if ('condition' in node) {
            const scope: Scope = {
              out: to,
              position: undefined,
              place: `${control.name}, conditional ${node.name}`,
              parameter: () => [],
              problem: options.problem,
            };
            emitBranch(
              conditionCode(node.condition, scope),
              (branch) => ways.go(target(node.onTrue), branch),
              (branch) => ways.go(target(node.onFalse), branch),
              to,
            );
          } else if ('key' in node) {
            emitTable(plans.get(node.id)!, { ways, target, options, statements }, to);
          } else {
            emitActionCall(node, { ways, target, options, statements }, to);
          }
        },
      },
      out,
    );
  });
  statements.define(out);
}

function nextOf(node: Table | Conditional | ActionCall): readonly (string | null)[] {
  if ('condition' in node) return [node.onTrue, node.onFalse];
  return 'key' in node ? successorsOf(node) : [node.next];
}

function emitActionCall(call: ActionCall, context: TableContext, out: Emitter): void {
  out.line(`// ${call.name}: ${call.action.name}`);
  context.statements.emit(call.action, () => [], out);
  emitExitTest([call.action], context, out);
  context.ways.go(context.target(call.next), out);
}

interface TableContext {
  ways: Ways;
  target(name: string | null): number;
  options: EmitOptions;
  statements: Statements;
}

/**
 * V8 optimizes no function of more than some 60 kB of bytecode, so a control with more primitives than this keeps its
 * statements in functions of their own.
 */
const inlinePrimitivesMax = 250;

/** Statements of so few primitives cost less in place than called. */
const smallStatementMax = 2;

/** Writes actions that are called by the control itself: in place, or, in a large control, as functions behind it. */
class Statements {
  private readonly isLarge: boolean;
  private readonly name: string;
  private readonly options: EmitOptions;
  private readonly functions: Emitter;

  constructor({ name, tables, actionCalls }: Control, options: EmitOptions, out: Emitter) {
    const actions = [
      ...actionCalls.map(({ action }) => action),
      ...tables.filter(isStatement).flatMap((table) => table.default?.action ?? []),
    ];
    const primitives = actions.reduce((sum, action) => sum + action.primitives.length, 0);
    this.isLarge = primitives > inlinePrimitivesMax;
    this.name = name;
    this.options = options;
    this.functions = out.fork();
  }

  emit(action: Action, parameter: (index: number) => Word[], out: Emitter): void {
    if (!this.isLarge || action.primitives.length <= smallStatementMax) {
      out.block('', () => emitAction(action, scopeOf(action, parameter, out, this.options), this.options));
      return;
    }
    const { functions } = this;
    const name = functions.name(`${this.name}_statement`);
    functions.block(`function ${name}()`, () =>
      emitAction(action, scopeOf(action, parameter, functions, this.options), this.options),
    );
    out.line(`${name}();`);
  }

  /** The functions, once the control has been written. */
  define(out: Emitter): void {
    out.append(this.functions);
  }
}

function emitTable(plan: TablePlan, context: TableContext, out: Emitter): void {
  const { table } = plan;
  if (isStatement(table)) {
    emitStatement(table, context, out);
    return;
  }
  const state = `table_${table.id}`;
  const row = out.name('row');
  out.line(`// table ${table.name}`);
  if (plan.key.search === 'none') {
    out.line(`const ${row} = 0;`);
  } else {
    out.line(`const ${row} = find_${table.id}(${keyArguments(table, plan.key).join(', ')});`);
    // Row 0 takes what misses count; nobody reads it.
    if (table.withCounters) {
      out.line(`${state}.packets[${row}] += 1;`);
      out.line(`${state}.bytes[${row}] += ${slotWord(slots.receivedLength, 'received length')};`);
    }
    if (table.supportsTimeout) out.line(`${state}.lastHit[${row}] = clock[0];`);
  }
  if (table.directMeter && plan.key.search !== 'none') emitDirectMeter(table, row, context, out);
  emitDispatch(plan, row, context, out);
}

function emitDirectMeter(table: Table, row: string, context: TableContext, out: Emitter): void {
  const meter = table.directMeter!;
  out.block(`if (${row} !== 0)`, () => {
    const target = { kind: 'field' as const, ref: meter.target! };
    emitMeter(`meter_of_table_${table.id}`, row, meter, target, tableScope(table, context, out));
  });
}

function tableScope(table: Table, context: TableContext, out: Emitter): Scope {
  const place = `${table.pipeline}, table ${table.name}`;
  return { out, position: undefined, place, parameter: () => [], problem: context.options.problem };
}

/** A table without keys whose action never changes: p4c's way to write a statement. */
function isStatement(table: Table): boolean {
  return (
    table.key.length === 0 &&
    (table.default === undefined || (table.default.isActionConstant && table.default.isDataConstant))
  );
}

function emitStatement(table: Table, context: TableContext, out: Emitter): void {
  const entry = table.default;
  if (!entry) {
    context.ways.go(context.target(table.baseNext), out);
    return;
  }
  const parameter = (index: number): Word[] => {
    const { width } = entry.action.parameters[index]!;
    return Array.from({ length: Math.ceil(width / 32) }, (_, word) => ({
      code: literal(Number(BigInt.asUintN(32, entry.data[index]! >> BigInt(32 * word)))),
      bits: Math.min(32, width - 32 * word),
    }));
  };
  if (entry.action.primitives.length > 0) {
    out.line(`// ${table.name}: ${entry.action.name}`);
    context.statements.emit(entry.action, parameter, out);
    emitExitTest([entry.action], context, out);
  }
  const next =
    'byAction' in table.next ? (table.next.byAction.get(entry.action.id) ?? null) : table.next.miss;
  context.ways.go(context.target(next), out);
}

function emitDispatch(plan: TablePlan, row: string, context: TableContext, out: Emitter): void {
  const { table } = plan;
  const { state, actionRow, stride, caseOf } = table.profile
    ? emitProfileChoice(table, table.profile, row, context, out)
    : {
        state: `table_${table.id}`,
        actionRow: row,
        stride: plan.stride,
        caseOf: (action: Action) => action.id,
      };
  const at = stride === 0 ? '0' : stride === 1 ? actionRow : `${actionRow} * ${stride}`;
  const next = table.next;
  const call = (action: Action) => `action_${action.id}(${state}.data, ${actionRow === '0' ? '0' : at});`;
  const leads =
    'byAction' in next
      ? new Set([...next.byAction.values(), ...(table.default ? [] : [table.baseNext])])
      : undefined;
  const isCommonNext = leads === undefined || leads.size === 1;
  out.block(`switch (${state}.action[${actionRow}])`, () => {
    for (const action of table.actions) {
      if (isCommonNext && action.primitives.length === 0) continue;
      out.line(`case ${caseOf(action)}: {`);
      const body = out.fork();
      if (action.primitives.length > 0) {
        body.line(call(action));
        emitExitTest([action], context, body);
      }
      if (!isCommonNext)
        context.ways.go(context.target('byAction' in next ? next.byAction.get(action.id)! : null), body);
      body.line('break;');
      out.append(body);
      out.line('}');
    }
    if (!isCommonNext && !table.default) {
      out.line('default: {');
      const body = out.fork();
      context.ways.go(context.target(table.baseNext), body);
      out.append(body);
      out.line('}');
    }
  });
  if ('byAction' in next) {
    if (isCommonNext) context.ways.go(context.target([...leads!][0] ?? null), out);
    return;
  }
  if (next.hit === next.miss) {
    context.ways.go(context.target(next.hit), out);
    return;
  }
  emitBranch(
    `(${row} !== 0)`,
    (branch) => context.ways.go(context.target(next.hit), branch),
    (branch) => context.ways.go(context.target(next.miss), branch),
    out,
  );
}

/** From the row of an entry to the row of a member; a miss ends at row 0, which does nothing. */
function emitProfileChoice(
  table: Table,
  profile: ActionProfile,
  row: string,
  context: TableContext,
  out: Emitter,
) {
  const state = `profile_${profile.id}`;
  const entries = `table_${table.id}`;
  const actionRow = out.name('member');
  out.line(`let ${actionRow} = 0; // of ${profile.name}`);
  out.block(`if (${entries}.action[${row}] === ${throughMember})`, () =>
    out.line(`${actionRow} = ${entries}.data[${row}] + 1;`),
  );
  const { selector } = profile;
  if (selector) {
    out.block(`else if (${entries}.action[${row}] === ${throughGroup})`, () => {
      const scope = tableScope(table, context, out);
      // BMv2 keeps 32 bits of a hash here, whichever it is.
      const [hash] = canonicalWords(emitCalculation(selector, scope), 32, scope);
      out.line(`${actionRow} = ${state}.choose(${entries}.data[${row}], ${hash});`);
    });
  }
  const caseOf = (action: Action) => profile.actions.find(({ name }) => name === action.name)!.id;
  return { state, actionRow, stride: Math.max(0, ...profile.actions.map(dataWords)), caseOf };
}

/** After an action that may say `exit`. */
function emitExitTest(actions: readonly Action[], context: TableContext, out: Emitter): void {
  const mayExit = actions.some((action) => action.primitives.some((primitive) => primitive.op === 'exit'));
  if (!mayExit) return;
  out.block(`if (${exitSlot} !== 0)`, () => context.ways.leave(out));
}

function scopeOf(
  action: Action,
  parameter: (index: number) => Word[],
  out: Emitter,
  options: EmitOptions,
): Scope {
  return { out, parameter, position: undefined, place: `action ${action.name}`, problem: options.problem };
}
