// SPDX-License-Identifier: Apache-2.0
/** A run as a picture: the load of each server over time, as SVG that is read in light and in dark. */
import type { ServersResult } from './servers-world.ts';

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

/** @param steeredAtMs  where a line says that steering begins */
export function plotLoads(
  series: ServersResult['series'],
  cpus: readonly number[],
  steeredAtMs: number,
): string {
  const points = series.filter((_, i) => i % every === 0);
  const endMs = points.at(-1)!.atMs;
  const most = Math.ceil(Math.max(...points.flatMap(({ loads }) => loads)) * 2) / 2;
  const x = (atMs: number) => round(margin.left + (atMs / endMs) * (width - margin.left - margin.right));
  const y = (load: number) =>
    round(height - margin.bottom - (load / most) * (height - margin.top - margin.bottom));
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
  const ticks = Array.from({ length: most * 2 + 1 }, (_, i) => i / 2).map(
    (load) =>
      `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(load)}" y2="${y(load)}" stroke="#888" stroke-opacity="0.3"/><text x="${margin.left - 8}" y="${y(load) + 4}" text-anchor="end">${load.toFixed(1)}</text>`,
  );
  const minutes = Array.from({ length: Math.floor(endMs / 300_000) + 1 }, (_, i) => i * 5).map(
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

const round = (value: number): number => Math.round(value * 10) / 10;
