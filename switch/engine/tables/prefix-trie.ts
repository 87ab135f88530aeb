// SPDX-License-Identifier: Apache-2.0
/**
 * Longest prefix match on up to 32 bits in at most five memory reads, however many prefix lengths there are: a trie of
 * nodes that look at 12, 6, 6, 4 and 4 bits. A cell holds the row of the longest prefix that covers it, or a child.
 *
 * An index beside the hash table of TableState, which stays the judge of what there is.
 *
 * Source: Srinivasan and Varghese, "Faster IP Lookups using Controlled Prefix Expansion", SIGMETRICS 1998 (expansion
 * within a node, and leaf pushing into its children).
 */

/** Where each level begins, in bits, and where the last one ends. */
const levelStarts = [0, 12, 18, 24, 28, 32] as const;
const levels = levelStarts.length - 1;
const rootCells = 2 ** strideOf(0);
/** In the cell before its first, a node counts the prefixes that end in it or below. */
const headerCells = 1;

export class PrefixTrie {
  /** Nodes, the root first. A cell below zero is `~first`, the first cell of a child; 0 is a miss. */
  cells: Int32Array<ArrayBuffer> = new Int32Array(2 * rootCells);
  private end = rootCells;
  /** First cells of nodes that nobody uses, by level. */
  private readonly free: number[][] = Array.from({ length: levels }, () => []);
  /** Of a row, which must be its prefix length; row 0 has none. */
  private readonly lengthOf: (row: number) => number;

  constructor(lengthOf: (row: number) => number) {
    this.lengthOf = lengthOf;
  }

  /**
   * @param prefix  as the high bits of a 32-bit number
   * @param row  its `lengthOf` is `length`; among rows of one prefix the lowest wins
   */
  insert(prefix: number, length: number, row: number): void {
    let node = 0;
    let level = 0;
    for (; length > levelStarts[level + 1]!; level++) {
      const at = node + indexOf(prefix, level);
      if (this.cells[at]! >= 0) {
        const child = this.allocate(level + 1, this.cells[at]!);
        this.cells[at] = ~child;
      }
      node = ~this.cells[at]!;
      this.cells[node - headerCells]! += 1;
    }
    const { first, count } = spanOf(prefix, length, level);
    for (let at = node + first; at < node + first + count; at++) this.cover(at, level, length, row);
  }

  /** @param heir  the row that the packets of `row` meet now: the longest of the shorter prefixes, or 0 */
  remove(prefix: number, length: number, row: number, heir: number): void {
    const path: number[] = [];
    let node = 0;
    let level = 0;
    for (; length > levelStarts[level + 1]!; level++) {
      const at = node + indexOf(prefix, level);
      path.push(at);
      node = ~this.cells[at]!;
      this.cells[node - headerCells]! -= 1;
    }
    const { first, count } = spanOf(prefix, length, level);
    for (let at = node + first; at < node + first + count; at++) this.replace(at, level, row, heir);
    // Where no prefix ends, every cell says the same, and the parent can say it.
    for (; level > 0; level--) {
      const at = path[level - 1]!;
      const child = ~this.cells[at]!;
      if (this.cells[child - headerCells] !== 0) break;
      this.cells[at] = this.cells[child]!;
      this.free[level]!.push(child);
    }
  }

  /** @returns the row of the longest prefix of a 32-bit number, 0 for none. Generated code does the same. */
  find(key: number): number {
    let cell = this.cells[indexOf(key, 0)]!;
    for (let level = 1; cell < 0; level++) cell = this.cells[~cell + indexOf(key, level)]!;
    return cell;
  }

  private cover(at: number, level: number, length: number, row: number): void {
    const cell = this.cells[at]!;
    if (cell < 0) {
      for (let cells = cellsOf(level + 1), i = 0; i < cells; i++)
        this.cover(~cell + i, level + 1, length, row);
      return;
    }
    const covered = cell === 0 ? -1 : this.lengthOf(cell);
    if (covered < length || (covered === length && row < cell)) this.cells[at] = row;
  }

  private replace(at: number, level: number, row: number, heir: number): void {
    const cell = this.cells[at]!;
    if (cell < 0) {
      for (let cells = cellsOf(level + 1), i = 0; i < cells; i++)
        this.replace(~cell + i, level + 1, row, heir);
    } else if (cell === row) this.cells[at] = heir;
  }

  /** @returns the first cell of a node in which every cell is `row` */
  private allocate(level: number, row: number): number {
    const cells = cellsOf(level);
    let first = this.free[level]!.pop();
    if (first === undefined) {
      first = this.end + headerCells;
      this.end = first + cells;
      if (this.end > this.cells.length) this.grow();
    }
    this.cells[first - headerCells] = 0;
    this.cells.fill(row, first, first + cells);
    return first;
  }

  private grow(): void {
    const grown = new Int32Array(this.cells.length * 2);
    grown.set(this.cells);
    this.cells = grown;
  }
}

/** The body of a function of `k0`, the prefix field as its lowest `width` bits, over the expression `trie`. */
export function prefixTrieLines(trie: string, width: number): string[] {
  const key = width === 32 ? 'k0' : `(k0 << ${32 - width})`;
  return [
    `const { cells } = ${trie};`,
    ...Array.from({ length: levels }, (_, level) => {
      const shift = 32 - levelStarts[level + 1]!;
      const bits = shift === 0 ? key : `(${key} >>> ${shift})`;
      const index =
        level === 0 ? `${key} >>> ${shift}` : `~c${level - 1} + (${bits} & ${cellsOf(level) - 1})`;
      // Of a narrow field the deeper levels look at zeroes; nothing ends there.
      return [
        `const c${level} = cells[${index}];`,
        level < levels - 1 ? `if (c${level} >= 0) return c${level};` : `return c${level};`,
      ];
    }).flat(),
  ];
}

function strideOf(level: number): number {
  return levelStarts[level + 1]! - levelStarts[level]!;
}

function cellsOf(level: number): number {
  return 2 ** strideOf(level);
}

function indexOf(key: number, level: number): number {
  return (key >>> (32 - levelStarts[level + 1]!)) & (cellsOf(level) - 1);
}

/** The cells of a node that a prefix covers which ends in it. */
function spanOf(prefix: number, length: number, level: number): { first: number; count: number } {
  const count = 2 ** (levelStarts[level + 1]! - length);
  return { first: indexOf(prefix, level) & ~(count - 1), count };
}
