// SPDX-License-Identifier: Apache-2.0
/** What is wrong in a configuration file, where, and what would be right. */

import { distance as editDistance } from 'fastest-levenshtein';

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
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}
