// SPDX-License-Identifier: Apache-2.0
/** What the fields of the configuration file are made of: one value each, with what would be right where it is wrong. */
import { z } from 'zod';
import { type Parsed, parseDuration, show } from './scalar.ts';

/** One value of the file. What is wrong with it travels as the issue's message, what would be right as a parameter. */
export function scalar<T>(parse: (input: unknown) => Parsed<T>) {
  return z.unknown().transform((input, context): T => {
    const parsed =
      input === undefined || input === null ? { ...parse(''), wrong: 'is missing' } : parse(input);
    if ('value' in parsed) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.wrong, params: { right: parsed.right } });
    return z.NEVER;
  });
}

export function integer(least: number, most: number): (input: unknown) => Parsed<number> {
  const right = `a whole number from ${least} to ${most}`;
  return (input) => {
    if (typeof input !== 'number' || !Number.isInteger(input))
      return { wrong: `${show(input)} is not a whole number`, right };
    return input >= least && input <= most ? { value: input } : { wrong: `${input} is out of range`, right };
  };
}

export function duration(leastMs: number, mostMs: number): (input: unknown) => Parsed<number> {
  return (input) => {
    const parsed = parseDuration(input);
    if (!('value' in parsed) || (parsed.value >= leastMs && parsed.value <= mostMs)) return parsed;
    return {
      wrong: `'${input}' is out of range`,
      right: `a duration from ${leastMs / 1000} s to ${mostMs / 3_600_000} h`,
    };
  };
}

export function oneOf<const T extends string | boolean>(...choices: T[]): (input: unknown) => Parsed<T> {
  const right = choices.length === 1 ? `'${choices[0]}'` : `one of ${choices.join(', ')}`;
  return (input) => {
    const choice = choices.find((candidate) => candidate === input);
    return choice === undefined ? { wrong: `${show(input)} is not known here`, right } : { value: choice };
  };
}

export function parsePath(input: unknown): Parsed<string> {
  if (typeof input === 'string' && input !== '') return { value: input };
  return { wrong: `${show(input)} is not a path`, right: 'the path of a file' };
}
