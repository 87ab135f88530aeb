// SPDX-License-Identifier: Apache-2.0
/** The run as it happens: a panel that is drawn anew on a terminal, a line now and then elsewhere. */

import { percentile } from './report.ts';
import type { Progress } from './run.ts';

export interface View {
  show(progress: Progress): void;
  /** Leaves the terminal as a terminal. */
  close(): void;
}

const redrawMs = 250;
const lineMs = 2_000;
const stepsShown = 8;
const barWidth = 30;

export function openView(output: NodeJS.WriteStream): View {
  return output.isTTY ? terminalView(output) : lineView(output);
}

function lineView(output: NodeJS.WriteStream): View {
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    show(progress) {
      if (!progress.isStep && Date.now() - shownAt < lineMs) return;
      shownAt = Date.now();
      const what = progress.isStep ? progress.words : summaryLine(progress);
      output.write(`${clock(progress)} ${progress.isStep ? '>' : ' '} ${what}\n`);
    },
    close() {},
  };
}

function terminalView(output: NodeJS.WriteStream): View {
  const steps: string[] = [];
  let shownAt = 0;
  let height = 0;
  return {
    show(progress) {
      if (progress.isStep) {
        steps.push(`${clock(progress)} > ${progress.words}`);
        if (steps.length > stepsShown) steps.shift();
      }
      if (!progress.isStep && Date.now() - shownAt < redrawMs) return;
      shownAt = Date.now();
      const width = output.columns || 100;
      const lines = [...steps, '', ...panel(progress)].map((line) => line.slice(0, width - 1));
      // Up to the first line of the last drawing, then down to the end of the screen.
      const home = height > 0 ? `\x1b[${height}A` : '';
      output.write(`${home}\r\x1b[J${lines.join('\n')}\n`);
      height = lines.length;
    },
    close() {
      height = 0;
    },
  };
}

/** The state of everything, one line a thing. */
export function panel(progress: Progress): string[] {
  const { traffic, status, broken, excused, commits } = progress;
  const lines = [
    `${clock(progress)}   connections ${traffic.longOpen} long, ${traffic.shortTotal} short so far, ${traffic.answers} answers`,
    `         broken ${broken}, lost with their server ${excused}`,
  ];
  if (status === undefined) return [...lines, '         no controller: the switch forwards as it last did'];
  const { pins, writes, change } = status;
  const slots = sum(status.pools.map(({ slotCount }) => slotCount));
  lines.push(
    `         unstable ${unstableSlots(progress)} of ${slots} slots, pins ${pins.installed} (${pins.outstanding} under way)`,
    `         change ${change.phase}${change.waitingFor === undefined ? '' : `, the next waits for ${change.waitingFor}`}; ${writes.updatesInFlight} updates in flight`,
    `         ${commitLine(commits.map(({ durationMs }) => durationMs))}; filters ${filterLine(status.version.filters)}`,
    '',
  );
  for (const { name, share, weight, state } of status.pools.flatMap(({ backends }) => backends)) {
    const bar = '█'.repeat(Math.round(share * 2 * barWidth)).padEnd(barWidth);
    const open = String(traffic.servers[name] ?? 0).padStart(4);
    lines.push(
      `  ${name.padEnd(6)} ${bar} ${(share * 100).toFixed(1).padStart(5)} %  ${open} open  ${state} ${weight}`,
    );
  }
  return lines;
}

function summaryLine(progress: Progress): string {
  const { traffic, status, broken, excused, commits } = progress;
  const state =
    status === undefined
      ? 'no controller'
      : `${unstableSlots(progress)} unstable, ${status.pins.installed} pins, ${status.writes.updatesInFlight} in flight`;
  const lost = excused > 0 ? `, ${excused} lost with their server` : '';
  return `${traffic.longOpen} connections, ${state}, ${commits.length} commits, ${broken} broken${lost}`;
}

function commitLine(durations: number[]): string {
  if (durations.length === 0) return 'no commit yet';
  return `${durations.length} commits, last ${durations.at(-1)!.toFixed(0)} ms, p50 ${percentile(durations, 50).toFixed(0)} ms`;
}

function filterLine(filters: readonly { state: 'active' | 'quarantine' | 'free' }[]): string {
  return filters.map(({ state }) => ({ active: 'A', quarantine: 'q', free: '.' })[state]).join('');
}

function unstableSlots({ status }: Progress): number {
  return sum(status?.pools.map((pool) => pool.unstableSlots) ?? []);
}

function clock({ atMs }: Progress): string {
  return `${(atMs / 1_000).toFixed(1).padStart(5)} s`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
