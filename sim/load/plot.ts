// SPDX-License-Identifier: Apache-2.0
/** A run as a picture: the load of each server over time, as SVG that is read in light and in dark. */
import type { LoadSample } from './summary.ts';

const width = 760;
const height = 300;
const margin = { left: 46, right: 90, top: 16, bottom: 34 };
/** One point of each so many seconds: a picture has no more. */
const every = 5;
/** Told apart by their dashes, too. */
const strokes = [
  ['#d55e00', ''],
  ['#0072b2', '6 3'],
  ['#009e73', '2 3'],
  ['#cc79a7', '9 3 2 3'],
] as const;

/** Where one server's load is a hundred times that of another, equal steps are equal factors. */
export type LoadAxis = 'linear' | 'logarithmic';

/** @param steeredAtMs  where a line says that steering begins */
export function plotLoads(
  series: readonly LoadSample[],
  cpus: readonly number[],
  steeredAtMs: number,
  axis: LoadAxis = 'linear',
): string {
  const points = series.filter((_, i) => i % every === 0);
  const endMs = points.at(-1)!.atMs;
  const { ticks: tickLoads, shareOf } = scaleOf(axis, Math.max(...points.flatMap(({ loads }) => loads)));
  const x = (atMs: number) => round(margin.left + (atMs / endMs) * (width - margin.left - margin.right));
  const y = (load: number) =>
    round(height - margin.bottom - shareOf(load) * (height - margin.top - margin.bottom));
  const lines = cpus.map((count, i) => {
    const [color, dashes] = strokes[i % strokes.length]!;
    const path = points.map(({ atMs, loads }) => `${x(atMs)},${y(loads[i]!)}`).join(' ');
    const labelY = margin.top + 14 + 18 * i;
    const keyX = width - margin.right + 10;
    return [
      `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="1.5" stroke-dasharray="${dashes}"/>`,
      `<line x1="${keyX}" x2="${keyX + 22}" y1="${labelY - 4}" y2="${labelY - 4}" stroke="${color}" stroke-width="2" stroke-dasharray="${dashes}"/>`,
      `<text x="${keyX + 27}" y="${labelY}">${count} CPU${count === 1 ? '' : 's'}</text>`,
    ].join('\n');
  });
  const ticks = tickLoads.map(
    (load) =>
      `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(load)}" y2="${y(load)}" stroke="#888" stroke-opacity="0.3"/><text x="${margin.left - 8}" y="${y(load) + 4}" text-anchor="end">${load < 10 ? load.toFixed(1) : load}</text>`,
  );
  const minuteStep = endMs < 1_200_000 ? 1 : 5;
  const minutes = Array.from(
    { length: Math.floor(endMs / 60_000 / minuteStep) + 1 },
    (_, i) => i * minuteStep,
  ).map(
    (minute) =>
      `<text x="${x(minute * 60_000)}" y="${height - 14}" text-anchor="middle">${minute} min</text>`,
  );
  const start = x(steeredAtMs);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#777" role="img" aria-label="Load over CPUs of each server: far apart before steering, together after it">
${ticks.join('\n')}
${minutes.join('\n')}
<line x1="${start}" x2="${start}" y1="${margin.top}" y2="${height - margin.bottom}" stroke="#888" stroke-dasharray="3 3"/>
<text x="${start + 6}" y="${margin.top + 10}">steering begins</text>
${lines.join('\n')}
</svg>
`;
}

interface Scale {
  ticks: readonly number[];
  /** Of the height. */
  shareOf: (load: number) => number;
}

function scaleOf(axis: LoadAxis, mostLoad: number): Scale {
  if (axis === 'linear') {
    const most = Math.ceil(mostLoad * 2) / 2;
    return { ticks: Array.from({ length: most * 2 + 1 }, (_, i) => i / 2), shareOf: (load) => load / most };
  }
  const least = 0.1;
  const decades = Math.max(1, Math.ceil(Math.log10(mostLoad / least)));
  const ticks = Array.from({ length: decades }, (_, i) =>
    [1, 2, 5].map((digit) => (digit * 10 ** i) / 10),
  ).flat();
  return {
    ticks: [...ticks, 10 ** decades / 10],
    shareOf: (load) => Math.max(0, Math.log10(load / least) / decades),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
