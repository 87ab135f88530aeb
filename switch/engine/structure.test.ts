// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Emitter } from './emitter.ts';
import { emitStructured, end, type Graph } from './structure.ts';

const turnsMax = 40;

/** Every node notes its visit and takes the successor its number of the choices says. */
function compiled(successors: readonly (readonly number[])[]): (choices: number[]) => number[] {
  const out = new Emitter();
  const graph: Graph = {
    name: 'graph',
    entry: 0,
    successors,
    emit: (index, ways, to) => {
      to.line(`visits.push(${index});`);
      const next = successors[index]!;
      if (next.length === 1) return ways.go(next[0]!, to);
      to.line(`if (visits.length > ${turnsMax}) {`);
      const stop = to.fork();
      ways.leave(stop);
      to.append(stop);
      to.line('}');
      to.line(`switch (choices[visits.length % choices.length] % ${next.length}) {`);
      for (const [choice, target] of next.entries()) {
        to.line(`case ${choice}: {`);
        const body = to.fork();
        ways.go(target, body);
        body.line('break;');
        to.append(body);
        to.line('}');
      }
      to.line('}');
    },
  };
  emitStructured(graph, out);
  const run = new Function('choices', `const visits = [];\n${out}\nreturn visits;`) as (
    choices: number[],
  ) => number[];
  return run;
}

function walked(successors: readonly (readonly number[])[], choices: readonly number[]): number[] {
  const visits: number[] = [];
  for (let node = 0; node !== end; ) {
    visits.push(node);
    const next = successors[node]!;
    if (next.length > 1 && visits.length > turnsMax) break;
    node = next.length === 1 ? next[0]! : next[choices[visits.length % choices.length]! % next.length]!;
  }
  return visits;
}

const choices = fc.array(fc.nat(11), { minLength: 1, maxLength: 12 });

/** Nodes lead only to later ones or the end. */
const acyclic = fc
  .integer({ min: 1, max: 14 })
  .chain((size) =>
    fc.tuple(
      ...Array.from({ length: size }, (_, index) =>
        fc
          .uniqueArray(fc.integer({ min: index + 1, max: size }), { minLength: 1, maxLength: 3 })
          .map((targets) => targets.map((target) => (target === size ? end : target))),
      ),
    ),
  );

/** Any graph in which a node with one successor leads forward, so that every walk ends. */
const cyclic = fc.integer({ min: 2, max: 9 }).chain((size) =>
  fc.tuple(
    ...Array.from({ length: size }, (_, index) =>
      fc.oneof(
        fc.integer({ min: index + 1, max: size }).map((target) => [target === size ? end : target]),
        fc
          .uniqueArray(fc.integer({ min: 0, max: size }), { minLength: 2, maxLength: 3 })
          .map((targets) => targets.map((target) => (target === size ? end : target))),
      ),
    ),
  ),
);

describe('structured control flow', () => {
  it('takes the same way as the graph, for any graph without loops', () => {
    fc.assert(
      fc.property(acyclic, choices, (successors, taken) => {
        expect(compiled(successors)(taken)).toEqual(walked(successors, taken));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes the same way through loops, wherever they are entered', () => {
    fc.assert(
      fc.property(cyclic, choices, (successors, taken) => {
        expect(compiled(successors)(taken)).toEqual(walked(successors, taken));
      }),
      { numRuns: 3000 },
    );
  });

  it('takes the same way through a loop with two entries', () => {
    const successors = [
      [1, 2],
      [2, end],
      [1, end],
    ];
    fc.assert(
      fc.property(choices, (taken) => {
        expect(compiled(successors)(taken)).toEqual(walked(successors, taken));
      }),
    );
  });

  it('takes the same way through a chain of thousands, where structure would nest too deep', () => {
    const size = 5000;
    const successors = Array.from({ length: size }, (_, index) => {
      const next = index + 1 === size ? end : index + 1;
      return index % 3 === 0 ? [next, end] : [next];
    });
    expect(compiled(successors)([0])).toEqual(walked(successors, [0]));
  });
});
