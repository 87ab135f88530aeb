// SPDX-License-Identifier: Apache-2.0
/** What a check of `evenkeel doctor` finds, and how it is printed. */
import { tableLines } from '../table.ts';

export interface Finding {
  /** What was looked at: 'node', 'interface eth1'. */
  what: string;
  level: 'ok' | 'warning' | 'problem';
  found: string;
  /** A command or a setting that helps; of every warning and problem. */
  remedy?: string;
}

export const ok = (what: string, found: string): Finding => ({ what, level: 'ok', found });
export const warning = (what: string, found: string, remedy: string): Finding => ({
  ...{ what, level: 'warning', found, remedy },
});
export const problem = (what: string, found: string, remedy: string): Finding => ({
  ...{ what, level: 'problem', found, remedy },
});

export function findingsText(findings: readonly Finding[]): string {
  const lines = tableLines<Finding>(
    [
      { title: '', text: ({ level }) => (level === 'problem' ? 'PROBLEM' : level) },
      { title: '', text: ({ what }) => what },
      { title: '', text: ({ found }) => found },
    ],
    findings,
  ).slice(1);
  const width = Math.max(...lines.map((line, i) => line.length - findings[i]!.found.length));
  const text = lines.flatMap((line, i) => {
    const { remedy } = findings[i]!;
    return remedy === undefined ? [line] : [line, `${' '.repeat(width)}-> ${remedy}`];
  });
  const count = (level: Finding['level']): number => findings.filter((each) => each.level === level).length;
  const plural = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
  return `${[...text, '', `${plural(count('problem'), 'problem')}, ${plural(count('warning'), 'warning')}`].join('\n')}\n`;
}
