// SPDX-License-Identifier: Apache-2.0
/** Generated source text: lines with indentation, and names for intermediate results. */

export class Emitter {
  readonly lines: string[] = [];
  private depth: number;
  private readonly names: { count: number };

  constructor(depth = 0, names = { count: 0 }) {
    this.depth = depth;
    this.names = names;
  }

  line(text: string): void {
    this.lines.push('  '.repeat(this.depth) + text);
  }

  /** `head {`, the body one level deeper, `}` and what stands behind it. */
  block(head: string, body: () => void, tail = ''): void {
    this.line(head === '' ? '{' : `${head} {`);
    this.depth += 1;
    body();
    this.depth -= 1;
    this.line(`}${tail}`);
  }

  /** A text of its own at the depth a block here would have, to be looked at before it is placed with `append`. */
  fork(): Emitter {
    return new Emitter(this.depth + 1, this.names);
  }

  append(other: Emitter): void {
    this.lines.push(...other.lines);
  }

  /** A name nothing else in this text has. */
  name(prefix: string): string {
    this.names.count += 1;
    return `${prefix}${this.names.count}`;
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }
}
