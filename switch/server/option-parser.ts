// SPDX-License-Identifier: Apache-2.0
/**
 * Splits a command line into options and words the way boost::program_options does, whose users may write `-i0@veth0`,
 * `--log-level=info` and `--log-lev info`.
 */

export interface OptionSpec {
  name: string;
  short?: string;
  /** What its value is called; absent: it is a flag. */
  value?: string;
  /** The value when none is given. */
  impliedValue?: string;
  /** It may be given more than once. */
  repeats?: true;
}

export interface ParsedOptions {
  /** Values by the option's name, in the order given; of a flag, an empty string. */
  given: ReadonlyMap<string, readonly string[]>;
  words: string[];
  problems: string[];
}

/** Stops at the first argument it cannot understand: what comes behind might mean something else. */
export function parseOptions(specs: readonly OptionSpec[], args: readonly string[]): ParsedOptions {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  const left = [...args];
  const problems: string[] = [];

  const give = (spec: OptionSpec, written: string, attached: string | undefined): void => {
    if (given.has(spec.name) && !spec.repeats) problems.push(`${written} is given twice`);
    const value = spec.value === undefined ? '' : (attached ?? nextValue(spec, left));
    if (spec.value === undefined && attached !== undefined) problems.push(`${written} takes no value`);
    if (value === undefined) problems.push(`${written} needs a value: ${spec.value}`);
    else given.set(spec.name, [...(given.get(spec.name) ?? []), value]);
  };

  while (left.length > 0 && problems.length === 0) {
    const arg = left.shift()!;
    if (arg.startsWith('--')) {
      const [, written, attached] = /^(--[^=]*)(?:=(.*))?$/s.exec(arg)!;
      const found = specsOf(specs, written!.slice(2));
      if (found.length === 1) give(found[0]!, written!, attached);
      else if (found.length === 0) problems.push(`unknown option ${written}`);
      else problems.push(`${written} may mean ${found.map(({ name }) => `--${name}`).join(' or ')}`);
    } else if (arg.startsWith('-') && arg.length > 1) {
      const spec = specs.find(({ short }) => short === arg[1]);
      const rest = arg.slice(2);
      if (spec === undefined) problems.push(`unknown option -${arg[1]}`);
      else if (spec.value !== undefined) give(spec, `-${spec.short}`, rest === '' ? undefined : rest);
      else {
        give(spec, `-${spec.short}`, undefined);
        if (rest !== '') left.unshift(`-${rest}`);
      }
    } else words.push(arg);
  }
  return { given, words, problems };
}

/** The option of that name, else all whose names begin with it. */
function specsOf(specs: readonly OptionSpec[], written: string): OptionSpec[] {
  const exact = specs.filter(({ name }) => name === written);
  return exact.length > 0 || written === '' ? exact : specs.filter(({ name }) => name.startsWith(written));
}

/** Takes the next argument away if it is one. */
function nextValue({ impliedValue }: OptionSpec, left: string[]): string | undefined {
  const [next] = left;
  if (next === undefined || next.startsWith('-')) return impliedValue;
  left.shift();
  return next;
}
