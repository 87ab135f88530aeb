// SPDX-License-Identifier: Apache-2.0
/** `evenkeel explain` for people: the answer first, then what it is made of. */
import type { Explanation } from '../controller/core/explain.ts';
import type { FlowText } from './admin-client.ts';
import { tableLines } from './table.ts';

export function explanationText(flow: FlowText, explanation: Explanation): string {
  const { pool, hash, slot, stable, pin, base, columns, activeFilter, outcomes, why } = explanation;
  const lines = [`${flow.protocol} ${flow.source} -> ${flow.target}`, '', ...outcomeLines(outcomes), why];
  if (pool === undefined) return `${lines.join('\n')}\n`;

  const facts: [string, string][] = [['vip', pool]];
  if (hash !== undefined) facts.push(['hash', `crc32 ${hex(hash.crc32, 8)}, crc16 ${hex(hash.crc16, 4)}`]);
  if (slot !== undefined) facts.push(['slot', `${slot}, ${stable ? 'stable' : 'unstable'}`]);
  facts.push([
    'pin',
    pin === undefined ? 'none' : `${pin.backend}${pin.acknowledged ? '' : ', not yet acknowledged'}`,
  ]);
  if (base !== undefined) facts.push([stable ? 'backend' : 'base', base]);
  for (const { column, backend, live } of columns)
    facts.push([`column ${column}`, `${backend}${live ? '' : ' (no live filter slot refers to it)'}`]);
  if (stable === false) {
    facts.push(['filters', `active is ${activeFilter}; row a cell ${hash?.rowA}, row b cell ${hash?.rowB}`]);
  }
  if (explanation.afterChange !== undefined)
    facts.push([
      'next',
      `${explanation.afterChange} gets new flows of the slot when the change is done; flows that are there stay`,
    ]);
  const width = Math.max(...facts.map(([name]) => name.length));
  return `${[...lines, '', ...facts.map(([name, text]) => `${name.padEnd(width)}  ${text}`)].join('\n')}\n`;
}

function outcomeLines(outcomes: Explanation['outcomes']): string[] {
  if (outcomes.length < 2) return outcomes.map(({ backend }) => `goes to ${backend}`);
  return tableLines(
    [
      { title: 'GOES TO', text: ({ backend }) => backend },
      { title: 'WHEN', text: ({ when }) => when },
    ],
    outcomes,
  );
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
