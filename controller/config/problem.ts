// SPDX-License-Identifier: Apache-2.0
/** What is wrong in a configuration file, where, and what would be right. */

export interface Problem {
  /** A warning does not keep the file from being used. */
  severity: 'error' | 'warning';
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  /** `vips[0].backends[2].weight`; empty when it is about the whole file. */
  path: string;
  wrong: string;
  right: string;
}

/** 'evenkeel.yaml:12:17: error: vips[0].port: 70000 is out of range; expected a whole number from 1 to 65535'. */
export function formatProblem(problem: Problem, file: string): string {
  const { severity, line, column, path, wrong, right } = problem;
  return `${file}:${line}:${column}: ${severity}: ${path === '' ? '' : `${path}: `}${wrong}; expected ${right}`;
}

/** The candidate that differs from `word` by the fewest edits, if that is few enough to be a slip. */
export function nearMatch(word: string, candidates: Iterable<string>): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3));
  let nearest: string | undefined;
  let least = most + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Insertions, deletions and replacements from one word to the other; at most `enough`. */
function editDistance(source: string, target: string, enough: number): number {
  if (Math.abs(source.length - target.length) >= enough) return enough;
  let above = Array.from({ length: target.length + 1 }, (_, column) => column);
  for (let row = 1; row <= source.length; row++) {
    const current = [row];
    for (let column = 1; column <= target.length; column++) {
      const replaced = above[column - 1]! + (source[row - 1] === target[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1));
    }
    above = current;
  }
  return Math.min(above[target.length]!, enough);
}
