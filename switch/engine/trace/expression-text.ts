// SPDX-License-Identifier: Apache-2.0
/** Expressions as text, for where p4c has kept nothing of the source. */

import type { Condition, Value } from '../expression.ts';
import type { FieldNames } from './field-names.ts';

export function valueText(value: Value, names: FieldNames): string {
  const text = (inner: Value) => valueText(inner, names);
  switch (value.op) {
    case 'constant':
      return value.value < 10n ? String(value.value) : `0x${value.value.toString(16)}`;
    case 'field':
      return names.ofRef(value.ref);
    case 'element':
      return `${value.stack.name}[${text(value.index)}].${value.field.name}`;
    case 'last':
      return `${value.stack.name}.last.${value.field.name}`;
    case 'last_index':
      return `${value.stack.name}.lastIndex`;
    case 'size':
      return `${value.stack.name}.size`;
    case 'register':
      return `${value.register.name}[${text(value.index)}]`;
    case 'parameter':
      return `parameter ${value.index}`;
    case 'lookahead':
      return `lookahead<bit<${value.width}>>()`;
    case 'binary':
      return `(${text(value.left)} ${value.operator} ${text(value.right)})`;
    case 'not':
      return `~${text(value.operand)}`;
    case 'choose':
      return `(${conditionText(value.condition, names)} ? ${text(value.whenTrue)} : ${text(value.whenFalse)})`;
    case 'two_comp_mod':
      return `(int<${value.width}>)${text(value.operand)}`;
    case 'usat_cast':
    case 'sat_cast':
      return `saturated<${value.width}>(${text(value.operand)})`;
    case 'b2d':
      return conditionText(value.condition, names);
    case 'words':
      return value.words.join();
  }
}

export function conditionText(condition: Condition, names: FieldNames): string {
  const text = (inner: Condition) => conditionText(inner, names);
  switch (condition.op) {
    case 'constant':
      return String(condition.value);
    case 'compare':
      return `${valueText(condition.left, names)} ${condition.operator} ${valueText(condition.right, names)}`;
    case 'same':
      return `(${text(condition.left)}) == (${text(condition.right)})`;
    case 'same_header':
    case 'same_union':
      return `${condition.left.name} == ${condition.right.name}`;
    case 'same_varbit':
      return `${names.ofRef(condition.left)} == ${names.ofRef(condition.right)}`;
    case 'and':
      return `(${text(condition.left)} && ${text(condition.right)})`;
    case 'or':
      return `(${text(condition.left)} || ${text(condition.right)})`;
    case 'not':
      return `!(${text(condition.operand)})`;
    case 'd2b':
      return valueText(condition.operand, names);
    case 'valid':
      return `${condition.header.name}.isValid()`;
    case 'valid_union':
      return `${condition.union.name}.isValid()`;
  }
}
