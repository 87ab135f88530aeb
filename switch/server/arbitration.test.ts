// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ElectionEvent, isPrimaryId, noElection, step } from './arbitration.ts';
import { Rules } from './compat.ts';
import { Code } from './refusal.ts';

const rules = new Rules('strict');

/** Plays events such as `1:10` (stream 1 arbitrates with id 10), `1:-` (without id), `1:bye`; tells the last effects. */
function play(...events: string[]): string[] {
  let election = noElection;
  let told: string[] = [];
  for (const text of events) {
    const [stream, what] = text.split(':') as [string, string];
    const event: ElectionEvent =
      what === 'bye'
        ? { kind: 'leave', stream: Number(stream) }
        : {
            kind: 'arbitrate',
            stream: Number(stream),
            electionId: what === '-' ? undefined : BigInt(what),
          };
    const next = step(rules, election, event);
    election = next.election;
    told = next.effects.map((effect) =>
      effect.kind === 'close'
        ? `${effect.stream} closed ${Code[effect.code]} ${effect.message}`
        : `${effect.stream} ${Code[effect.code]} ${effect.electionId ?? 'unset'}`,
    );
  }
  return told;
}

test.each<[string, string[], string[]]>([
  ['the first with an id is primary', ['1:10'], ['1 OK 10']],
  ['0 is an id like any other', ['1:0'], ['1 OK 0']],
  ['without an id nobody is ever primary', ['1:-'], ['1 NOT_FOUND unset']],
  ['any number may come without an id', ['1:10', '2:-', '3:-'], ['3 ALREADY_EXISTS 10']],
  ['a lower id is a backup, and only it is told', ['1:10', '2:9'], ['2 ALREADY_EXISTS 10']],
  [
    'a higher id takes over; it hears last',
    ['1:10', '2:9', '3:11'],
    ['1 ALREADY_EXISTS 11', '2 ALREADY_EXISTS 11', '3 OK 11'],
  ],
  ['a repeated arbitration is answered', ['1:10', '2:9', '1:10'], ['1 OK 10']],
  ['so is a repeated one of a backup', ['1:10', '2:9', '2:9'], ['2 ALREADY_EXISTS 10']],
  ['a primary that raises its id tells all', ['1:10', '2:9', '1:12'], ['2 ALREADY_EXISTS 12', '1 OK 12']],
  ['a primary that lowers its id abdicates', ['1:10', '2:9', '1:8'], ['2 NOT_FOUND 10', '1 NOT_FOUND 10']],
  ['so does one that gives up its id', ['1:10', '1:-'], ['1 NOT_FOUND 10']],
  ['when the primary leaves, no backup is promoted', ['1:10', '2:9', '1:bye'], ['2 NOT_FOUND 10']],
  ['nor does a lower id win after it', ['1:10', '1:bye', '2:9'], ['2 NOT_FOUND 10']],
  ['the same id wins again', ['1:10', '1:bye', '2:10'], ['2 OK 10']],
  ['a backup that raises its id wins', ['1:10', '2:9', '1:bye', '2:10'], ['2 OK 10']],
  ['a backup leaves silently', ['1:10', '2:9', '2:bye'], []],
  ['a stranger leaves silently', ['1:10', '7:bye'], []],
  ['an id in use is refused', ['1:10', '2:10'], ['2 closed INVALID_ARGUMENT Election id already exists']],
  [
    'so is changing to one',
    ['1:10', '2:9', '2:10'],
    ['2 closed INVALID_ARGUMENT New election id already exists'],
  ],
  [
    'a primary that takes an id in use is out, and all others stay',
    ['1:10', '2:9', '1:9'],
    ['1 closed INVALID_ARGUMENT New election id already exists', '2 NOT_FOUND 10'],
  ],
])('%s', (_, events, told) => {
  expect(play(...events)).toEqual(told);
});

test('whatever happens, the primary holds the highest id ever seen, and every arbitration is answered', () => {
  const eventOf = fc.record({
    kind: fc.constantFrom('arbitrate' as const, 'arbitrate' as const, 'leave' as const),
    stream: fc.integer({ min: 1, max: 4 }),
    electionId: fc.option(fc.bigInt(0n, 6n), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(eventOf, { maxLength: 40 }), (events) => {
      let election = noElection;
      let highest: bigint | undefined;
      for (const event of events) {
        const isRefusable = [...election.candidates].some(
          ([stream, id]) => stream !== event.stream && id !== undefined && id === event.electionId,
        );
        const next = step(rules, election, event);
        election = next.election;
        if (event.kind === 'arbitrate') {
          expect(next.effects.filter((effect) => effect.stream === event.stream)).toHaveLength(1);
          if (!isRefusable && event.electionId !== undefined && event.electionId >= (highest ?? 0n)) {
            highest = event.electionId;
          }
        }
        expect(election.highest).toBe(highest);
        if (election.primary !== undefined) {
          expect(election.candidates.get(election.primary)).toBe(highest);
          expect(isPrimaryId(rules, election, highest)).toBe(true);
        }
        const ids = [...election.candidates.values()].filter((id) => id !== undefined);
        expect(new Set(ids).size).toBe(ids.length);
      }
    }),
  );
});
