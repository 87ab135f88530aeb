// SPDX-License-Identifier: Apache-2.0
/** What two switches are told, step by step, and the first thing that they do not agree on. */

import type { RowUpdate, SwitchRow } from '../../../controller/core/row.ts';
import type { Packet, SimSwitch, Verdict } from '../sim-switch.ts';

export type Step =
  | { kind: 'packet'; packet: Packet }
  | { kind: 'update'; update: RowUpdate }
  | { kind: 'wait'; forMs: number }
  | { kind: 'look' }
  | { kind: 'restart' };

/** How often each kind of answer was given. */
export type Tally = Map<string, number>;

/**
 * Tells both the same, and looks at everything they hold whenever the script says so and at its end.
 *
 * @param tally  counts what they agree on
 * @returns the step at which they differ, and both answers; undefined when there is none
 */
export function firstDifference(
  script: readonly Step[],
  first: SimSwitch,
  second: SimSwitch,
  tally: Tally = new Map(),
): string | undefined {
  let now = 0;
  for (const [index, step] of [...script, { kind: 'look' } as const].entries()) {
    if (step.kind === 'wait') now += step.forMs;
    const answer = answerOf(first, step, now);
    const other = answerOf(second, step, now);
    if (answer.text !== other.text) {
      return `step ${index}, ${JSON.stringify(step)}: ${answer.text}, but ${other.text}`;
    }
    for (const name of answer.names) tally.set(name, (tally.get(name) ?? 0) + 1);
  }
  return undefined;
}

/** `names` are what a tally counts. */
interface Answer {
  text: string;
  names: readonly string[];
}

function answerOf(asked: SimSwitch, step: Step, now: number): Answer {
  switch (step.kind) {
    case 'packet':
      return verdictAnswer(asked.process(step.packet, now), asked.admitted);
    case 'update': {
      const { operation, row } = step.update;
      const text = asked.apply(step.update, now) ?? 'done';
      return { text: `${text}, ${asked.count(row.table)} rows`, names: [`${operation} ${row.table}`, text] };
    }
    case 'wait':
      return { text: '', names: [] };
    case 'look': {
      const rows = canonical(asked.read());
      const idle = canonical(asked.idlePins(now));
      return { text: JSON.stringify({ rows, idle }), names: idle.length > 0 ? ['idle pins'] : [] };
    }
    case 'restart':
      asked.restart();
      return { text: `${asked.admitted} admitted`, names: ['restart'] };
  }
}

function verdictAnswer(verdict: Verdict, admitted: number): Answer {
  const { decision, backend, digest } = verdict;
  const raised = digest && {
    reason: digest.reason,
    pool: digest.pool,
    slot: digest.slot,
    column: digest.column,
    backend: digest.backend,
    sourceAddress: digest.sourceAddress,
    sourcePort: digest.sourcePort,
  };
  const names = [
    decision,
    backend === 0 ? 'nobody' : 'somebody',
    ...(digest ? [`digest ${digest.reason}`] : []),
  ];
  return { text: JSON.stringify({ decision, backend, digest: raised, admitted }), names };
}

/** Rows as sorted text: neither their order nor that of their fields says anything. */
function canonical(rows: readonly SwitchRow[]): string[] {
  return rows.map((row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();
}
