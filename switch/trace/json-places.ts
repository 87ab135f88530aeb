// SPDX-License-Identifier: Apache-2.0
/** JSON with the places of its values, and of its first mistake: what JSON.parse does not tell. */

export interface PlacedJson {
  value: unknown;
  /** Offsets by path, as in `table_entries[3].match`. */
  places: ReadonlyMap<string, number>;
}

/** Text that is no JSON. */
export class JsonMistake extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.name = 'JsonMistake';
    this.offset = offset;
  }
}

/** Deeper text is refused: it is no description of anything. */
export const depthMax = 100;

/** @throws JsonMistake */
export function parsePlacedJson(text: string): PlacedJson {
  return new Parser(text).document();
}

const tokenPattern = /\s*(?:("(?:[^"\\]|\\.)*")|([{}[\],:])|([^\s{}[\],:"]+)|(\S)|$)/y;

class Parser {
  private readonly text: string;
  private readonly places = new Map<string, number>();
  private token = '';
  private offset = 0;
  private position = 0;

  constructor(text: string) {
    this.text = text;
    this.advance();
  }

  document(): PlacedJson {
    const value = this.value('', 0);
    if (this.token !== '') this.fail('expected the end');
    return { value, places: this.places };
  }

  private value(path: string, depth: number): unknown {
    this.places.set(path, this.offset);
    if (depth > depthMax) this.fail(`nested deeper than ${depthMax}`);
    if (this.token === '{') return this.object(path, depth);
    if (this.token === '[') return this.array(path, depth);
    return this.scalar();
  }

  private object(path: string, depth: number): Record<string, unknown> {
    const members = new Map<string, unknown>();
    this.advance();
    if (this.accept('}')) return {};
    do {
      if (!this.token.startsWith('"')) this.fail('expected a name in quotes');
      const name = this.scalar() as string;
      if (members.has(name)) this.fail(`'${name}' is there twice`);
      if (!this.accept(':')) this.fail("expected ':'");
      members.set(name, this.value(path === '' ? name : `${path}.${name}`, depth + 1));
    } while (this.accept(','));
    if (!this.accept('}')) this.fail("expected ',' or '}'");
    return Object.fromEntries(members);
  }

  private array(path: string, depth: number): unknown[] {
    const array: unknown[] = [];
    this.advance();
    if (this.accept(']')) return array;
    do array.push(this.value(`${path}[${array.length}]`, depth + 1));
    while (this.accept(','));
    if (!this.accept(']')) this.fail("expected ',' or ']'");
    return array;
  }

  private scalar(): unknown {
    try {
      const value: unknown = JSON.parse(this.token);
      this.advance();
      return value;
    } catch {
      return this.fail('expected a value');
    }
  }

  private accept(token: string): boolean {
    if (this.token !== token) return false;
    this.advance();
    return true;
  }

  private advance(): void {
    tokenPattern.lastIndex = this.position;
    const match = tokenPattern.exec(this.text)!;
    this.token = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
    this.position = match.index + match[0].length;
    this.offset = this.position - this.token.length;
  }

  private fail(expected: string): never {
    const found = this.token === '' ? 'the end' : `'${this.token.slice(0, 40)}'`;
    throw new JsonMistake(this.offset, `${expected}, found ${found}`);
  }
}
