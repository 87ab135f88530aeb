// SPDX-License-Identifier: Apache-2.0
/** The fenced blocks of the documentation, and the marks that stand before them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

export interface Block {
  /** Relative to the repository. */
  file: string;
  /** Of the opening fence, from 1. */
  line: number;
  language: string;
  text: string;
  /** `<!-- not run: why -->` */
  notRun: string | undefined;
  /** `<!-- file: name -->`: what the commands of the page find in their folder. */
  writes: string | undefined;
}

/** Every page that a user reads, relative to the repository. */
export function pages(): string[] {
  const docs = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  const others = ['README.md', 'ARCHITECTURE.md', 'p4/README.md', 'topo/README.md'];
  return [...others.filter((name) => existsSync(join(root, name))), ...docs];
}

/** @throws Error when a block has no end */
export function blocksOf(file: string, text = readFileSync(join(root, file), 'utf8')): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent, language] = /^( *)```(\w*)$/.exec(lines[i]!) ?? [];
    if (indent === undefined) continue;
    const end = lines.indexOf(`${indent}\`\`\``, i + 1);
    if (end < 0) throw new Error(`${file}:${i + 1}: a block without an end`);
    const body = lines.slice(i + 1, end).map((line) => line.slice(indent.length));
    const mark = markBefore(lines, i);
    blocks.push({
      ...{ file, line: i + 1, language: language! },
      text: `${body.join('\n')}\n`,
      notRun: /^not run: (.+)$/s.exec(mark)?.[1],
      writes: /^file: (\S+)$/.exec(mark)?.[1],
    });
    i = end;
  }
  return blocks;
}

/** The comment right before a block; an empty line in between is forgiven. */
function markBefore(lines: readonly string[], fence: number): string {
  const at = lines[fence - 1]?.trim() === '' ? fence - 2 : fence - 1;
  return /^\s*<!-- (.*) -->$/.exec(lines[at] ?? '')?.[1] ?? '';
}

export interface Command {
  line: string;
  /** What the page shows of its output; undefined: nothing. */
  expected: string | undefined;
}

/** The commands of a block of language sh (one a line, \ goes on) or console ('$ command', then its output). */
export function commandsOf({ language, text }: Block): Command[] {
  if (language === 'sh')
    return text
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('#'))
      .map((line) => ({ line, expected: undefined }));
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line, ...output] = part.split('\n');
      return { line: line!, expected: output.join('\n').trim() };
    });
}

/**
 * Whether an output is what a page shows of it. `...` stands for anything within a line, and alone for any lines; blanks between words
 * count as one.
 */
export function isShown(expected: string, actual: string): boolean {
  const pattern = expected
    .split('\n')
    .map((line) => line.trim())
    .map((line) =>
      line === '...'
        ? '(?:.*\\n)*?'
        : `${line
            .split('...')
            .map((part) => part.split(/\s+/).map(RegExpEscape).join('\\s+'))
            .join('.*')}\\s*\\n`,
    )
    .join('');
  const text = `${actual.trim().replaceAll(/^[ \t]+|[ \t]+$/gm, '')}\n`;
  return new RegExp(`^${pattern}$`).test(text);
}

const RegExpEscape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
