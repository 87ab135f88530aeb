// SPDX-License-Identifier: Apache-2.0
/** The manual page evenkeel(1), made of the commands and their help: `make man`. */
import type { Argument, Command, Option } from 'commander';
import { afterHelp } from './help-endings.ts';

/** @param program  as commands.ts builds it. @returns man(7) */
export function manPage(program: Command, version: string): string {
  const commands = program.commands.filter((command) => command.name() !== 'help');
  return `${[
    '.\\" SPDX-License-Identifier: Apache-2.0',
    '.\\" Made by make man of the commands themselves.',
    `.TH EVENKEEL 1 "" "evenkeel ${version}" "User Commands"`,
    '.SH NAME',
    `evenkeel \\- ${plain(lowerFirst(program.description().replace(/\.$/, '')))}`,
    '.SH SYNOPSIS',
    '.B evenkeel',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    plain(program.description()),
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    ...endingLines(afterHelp(program), 'SH'),
  ].join('\n')}\n`;
}

function commandLines(command: Command): string[] {
  const options = command.options.filter(({ hidden }) => !hidden);
  return [
    `.SS evenkeel ${plain(command.name())} ${plain(command.usage())}`.trimEnd(),
    ...command.description().split('\n').map(plain),
    ...command.registeredArguments.filter(({ description }) => description !== '').flatMap(argumentLines),
    ...options.flatMap(optionLines),
    ...endingLines(onlyOwn(afterHelp(command)), 'PP'),
  ];
}

/** Exit codes, environment and files that all have stand at the end of the page. */
function onlyOwn(text: string): string {
  return sectionsOf(text)
    .filter(({ title }) => title === 'Examples' || title.startsWith('Exit codes '))
    .map(({ title, lines }) => `${title}:\n${lines.join('\n')}`)
    .join('\n\n');
}

function argumentLines(argument: Argument): string[] {
  return ['.TP', `.I ${plain(argument.name())}`, plain(argument.description)];
}

function optionLines({
  flags,
  description,
  defaultValue,
  defaultValueDescription,
  argChoices,
}: Option): string[] {
  const isTold = defaultValue !== undefined && defaultValue !== false && !Array.isArray(defaultValue);
  const notes = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(isTold ? [`default: ${defaultValueDescription ?? String(defaultValue)}`] : []),
  ];
  const note = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  return ['.TP', `.B ${plain(flags)}`, plain(`${description}${note}`)];
}

interface Section {
  title: string;
  lines: string[];
}

/** 'Title:' at the beginning of a line, and what follows it. */
function sectionsOf(text: string): Section[] {
  const sections: Section[] = [];
  for (const line of text.split('\n')) {
    const title = /^([A-Z][A-Za-z -]+):\s*(.*)$/.exec(line);
    if (title !== null) sections.push({ title: title[1]!, lines: title[2] ? [title[2]] : [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections.map(({ title, lines }) => ({ title, lines: trimmed(lines) }));
}

function endingLines(text: string, level: 'SH' | 'PP'): string[] {
  return sectionsOf(text).flatMap(({ title, lines }) => [
    ...(level === 'SH' ? [`.SH ${title.toUpperCase()}`] : ['.PP', `${plain(title)}:`]),
    '.PP',
    '.nf',
    ...lines.map(plain),
    '.fi',
  ]);
}

function trimmed(lines: readonly string[]): string[] {
  const isText = (line: string): boolean => line.trim() !== '';
  return lines.slice(lines.findIndex(isText), lines.findLastIndex(isText) + 1);
}

/** No character of a text is a command to roff. */
function plain(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

const lowerFirst = (text: string): string => text[0]!.toLowerCase() + text.slice(1);
