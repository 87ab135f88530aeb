// SPDX-License-Identifier: Apache-2.0
/** What the keys of `evenkeel top` do: one function of what is chosen and what is pressed. */

export const sortKeys = [
  'order',
  'name',
  'state',
  'health',
  'weight',
  'share',
  'packets',
  'bytes',
  'pins',
] as const;
export type SortKey = (typeof sortKeys)[number];

export interface Settings {
  /** The pool shown; undefined: all. */
  pool: string | undefined;
  /** order: that of the configuration. */
  sort: SortKey;
  isReversed: boolean;
  isPaused: boolean;
  showsHelp: boolean;
  /** Lines that are above what is shown. */
  scroll: number;
  hasQuit: boolean;
}

export const initialSettings: Readonly<Settings> = {
  pool: undefined,
  sort: 'order',
  isReversed: false,
  isPaused: false,
  showsHelp: false,
  scroll: 0,
  hasQuit: false,
};

/** What there is to choose from. */
export interface Choices {
  pools: readonly string[];
  /** Lines of a screenful, and lines that can be above it. */
  page: number;
  scrollMax: number;
}

export const keyHelp: readonly (readonly [keys: string, does: string])[] = [
  ['q  Ctrl-C', 'leave'],
  ['< >  left right', 'sort by another column'],
  ['r', 'reverse the order'],
  ['Tab  Shift-Tab', 'the next vip, the one before'],
  ['a', 'all vips'],
  ['p  space', 'pause, go on'],
  ['up down  PgUp PgDn  Home', 'scroll'],
  ['?  h', 'this help, or away with it'],
];

export type Key =
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'page-up'
  | 'page-down'
  | 'home'
  | 'tab'
  | 'shift-tab'
  | 'escape'
  | 'suspend'
  | (string & {});

const sequences: readonly (readonly [text: string, key: Key])[] = [
  ['\x1b[D', 'left'],
  ['\x1bOD', 'left'],
  ['\x1b[C', 'right'],
  ['\x1bOC', 'right'],
  ['\x1b[A', 'up'],
  ['\x1bOA', 'up'],
  ['\x1b[B', 'down'],
  ['\x1bOB', 'down'],
  ['\x1b[5~', 'page-up'],
  ['\x1b[6~', 'page-down'],
  ['\x1b[H', 'home'],
  ['\x1bOH', 'home'],
  ['\x1b[1~', 'home'],
  ['\x1b[Z', 'shift-tab'],
];

/** What a terminal sends, as keys; sequences that are not known here are no key. */
export function keysOf(text: string): Key[] {
  const keys: Key[] = [];
  for (let at = 0; at < text.length; ) {
    const known = sequences.find(([sequence]) => text.startsWith(sequence, at));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how terminals spell keys
    const unknown = /^\x1b[[O][0-9;]*[A-Za-z~]/.exec(text.slice(at));
    if (known !== undefined) keys.push(known[1]);
    else if (unknown === null) keys.push(single(text[at]!));
    at += known?.[0].length ?? unknown?.[0].length ?? 1;
  }
  return keys;
}

function single(character: string): Key {
  const names: Readonly<Record<string, Key>> = {
    '\t': 'tab',
    '\x03': 'q',
    '\x04': 'q',
    '\x1a': 'suspend',
    '\x1b': 'escape',
    ' ': 'p',
  };
  return names[character] ?? character;
}

/** @returns what is chosen then; the same object when the key means nothing */
export function pressed(settings: Settings, key: Key, choices: Choices): Settings {
  const { showsHelp } = settings;
  switch (key) {
    case 'q':
      return { ...settings, hasQuit: true };
    case 'escape':
      return showsHelp ? { ...settings, showsHelp: false } : { ...settings, hasQuit: true };
    case '?':
    case 'h':
      return { ...settings, showsHelp: !showsHelp };
    case 'p':
      return { ...settings, isPaused: !settings.isPaused };
    case 'r':
      return { ...settings, isReversed: !settings.isReversed };
    case 'a':
      return { ...settings, pool: undefined, scroll: 0 };
    case '>':
    case 'right':
      return { ...settings, sort: neighbour(sortKeys, settings.sort, 1) };
    case '<':
    case 'left':
      return { ...settings, sort: neighbour(sortKeys, settings.sort, -1) };
    case 'tab':
      return { ...settings, pool: neighbour([undefined, ...choices.pools], settings.pool, 1), scroll: 0 };
    case 'shift-tab':
      return { ...settings, pool: neighbour([undefined, ...choices.pools], settings.pool, -1), scroll: 0 };
    case 'home':
      return { ...settings, scroll: 0 };
    case 'up':
      return scrolled(settings, -1, choices);
    case 'down':
      return scrolled(settings, 1, choices);
    case 'page-up':
      return scrolled(settings, -choices.page, choices);
    case 'page-down':
      return scrolled(settings, choices.page, choices);
    default:
      return settings;
  }
}

const scrolled = (settings: Settings, lines: number, { scrollMax }: Choices): Settings => ({
  ...settings,
  scroll: Math.max(0, Math.min(scrollMax, settings.scroll + lines)),
});

/** Around the corner; from what is gone to the first. */
function neighbour<T>(all: readonly T[], one: T, step: 1 | -1): T {
  return all[(Math.max(0, all.indexOf(one)) + step + all.length) % all.length]!;
}
