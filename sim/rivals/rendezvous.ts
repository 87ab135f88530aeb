// SPDX-License-Identifier: Apache-2.0
/** Which servers a row prefers, by the highest of random numbers that row and server have between them. */

/**
 * Servers ranked per row. With half of them gone, a row has lost all of so many with a probability of 10^-7; it then keeps
 * the last of them, though gone.
 */
const RANKS = 24;

let known: { servers: number; rows: number; ranking: Uint16Array } | undefined;

/** @returns per row the RANKS servers it prefers, or all if there are fewer; computed once, it depends on nothing else */
export function rendezvousRanking(servers: number, rows: number): { ranking: Uint16Array; ranks: number } {
  const ranks = Math.min(RANKS, servers);
  if (known?.servers !== servers || known.rows !== rows) {
    known = { servers, rows, ranking: rank(servers, rows, ranks) };
  }
  return { ranking: known.ranking, ranks };
}

function rank(servers: number, rows: number, ranks: number): Uint16Array {
  const ranking = new Uint16Array(rows * ranks);
  const scores = new Uint32Array(ranks);
  for (let row = 0; row < rows; row++) {
    const start = row * ranks;
    let count = 0;
    for (let server = 0; server < servers; server++) {
      const score = scoreOf(row, server);
      if (count === ranks && score <= scores[ranks - 1]!) continue;
      let place = count < ranks ? count++ : ranks - 1;
      while (place > 0 && scores[place - 1]! < score) {
        scores[place] = scores[place - 1]!;
        ranking[start + place] = ranking[start + place - 1]!;
        place--;
      }
      scores[place] = score;
      ranking[start + place] = server;
    }
  }
  return ranking;
}

/** The finisher of MurmurHash3 over both. */
function scoreOf(row: number, server: number): number {
  let hash = (Math.imul(row + 1, 0x9e3779b1) ^ Math.imul(server + 1, 0x85ebca77)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
