// SPDX-License-Identifier: Apache-2.0
/** Generated source text: lines with indentation, and names for intermediate results. */

/** A program whose code would be longer is refused. Large ones need some ten thousand lines. */
export const codeLinesMax = 1_000_000;

/** A program whose code would nest deeper is refused: JavaScript engines compile recursively. */
export const codeDepthMax = 1000;

export class CodeLimitError extends Error {}

export class Emitter {
  readonly lines: string[] = [];
  private depth: number;
  /** Of the whole text. */
  private readonly counts: { names: number; lines: number };

  constructor(depth = 0, counts = { names: 0, lines: 0 }) {
    if (depth > codeDepthMax) throw new CodeLimitError(`its code would nest deeper than ${codeDepthMax}`);
    this.depth = depth;
    this.counts = counts;
  }

  /** @throws CodeLimitError */
  line(text: string): void {
    this.counts.lines += 1;
    if (this.counts.lines > codeLinesMax)
      throw new CodeLimitError(`its code would have more than ${codeLinesMax} lines`);
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
    return new Emitter(this.depth + 1, this.counts);
  }

  append(other: Emitter): void {
    this.lines.push(...other.lines);
  }

  /** A name nothing else in this text has. */
  name(prefix: string): string {
    this.counts.names += 1;
    return `${prefix}${this.counts.names}`;
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }
}
