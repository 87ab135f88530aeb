// SPDX-License-Identifier: Apache-2.0
/** Curves of the last quarter of an hour: unstable slots, pins, digests, commit times. */
import type { SampleView, StatusView } from './api.ts';
import { byId, element, setText } from './dom.ts';
import uPlot from './uplot.js';

/** A quarter of an hour, as the controller remembers it. The oldest is forgotten. */
const samplesMax = 900;
const height = 130;

interface Curve {
  title: string;
  unit: string;
  /** @param before  the sample before it */
  value: (sample: SampleView, before: SampleView | undefined) => number | null;
}

const curves: readonly Curve[] = [
  { title: 'Unstable slots', unit: 'slots', value: ({ unstableSlots }) => unstableSlots },
  { title: 'Pins', unit: 'pins', value: ({ pinsInstalled }) => pinsInstalled },
  { title: 'Digests and idle notices', unit: 'a second', value: rate },
  {
    title: 'Commit time',
    unit: 'ms',
    // Of the sample in which there was one more.
    value: (sample, before) =>
      before !== undefined && sample.commits > before.commits ? (sample.lastCommitMs ?? null) : null,
  },
];

export class Charts {
  private readonly parent = byId('charts', HTMLElement);
  private readonly samples: SampleView[] = [];
  private plots: { plot: uPlot; place: HTMLElement; now: HTMLElement; curve: Curve }[] = [];

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.build());
    new ResizeObserver(() => this.resize()).observe(this.parent);
    this.build();
  }

  load(samples: readonly SampleView[]): void {
    this.samples.splice(0, this.samples.length, ...samples.slice(-samplesMax));
    this.draw();
  }

  add({ date, engine, switch: target }: StatusView): void {
    const sample: SampleView = {
      at: date,
      unstableSlots: engine.pools.reduce((sum, { unstableSlots }) => sum + unstableSlots, 0),
      pinsInstalled: engine.pins.installed,
      notices: target.notices.received,
      commits: engine.totals.commits,
      lastCommitMs: engine.commits.at(-1)?.durationMs,
    };
    if (Date.parse(sample.at) <= Date.parse(this.samples.at(-1)?.at ?? '')) return;
    this.samples.push(sample);
    if (this.samples.length > samplesMax) this.samples.shift();
    this.draw();
  }

  private build(): void {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue('--ink').trim();
    const grid = style.getPropertyValue('--line').trim();
    const curveInk = style.getPropertyValue('--accent').trim();
    for (const { plot } of this.plots) plot.destroy();
    this.parent.replaceChildren();
    this.plots = curves.map((curve) => {
      const now = element('span', { class: 'now' });
      const place = element('div', { class: 'plot', 'aria-hidden': 'true' });
      // A canvas tells nothing to who cannot see it; the number beside the title does.
      const figure = element('figure', {}, element('figcaption', {}, `${curve.title} `, now), place);
      this.parent.append(figure);
      const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
      const isPoints = curve.unit === 'ms';
      const plot = new uPlot(
        {
          width: Math.max(place.clientWidth, 100),
          height,
          legend: { show: false },
          cursor: { show: false },
          scales: {
            y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, (most ?? 0) * 1.1)] },
          },
          axes: [
            { ...axis, space: 90 },
            { ...axis, size: 52 },
          ],
          series: [
            {},
            isPoints
              ? { stroke: curveInk, width: 0, points: { show: true, size: 7, fill: curveInk } }
              : { stroke: curveInk, width: 2, fill: `${curveInk}22`, points: { show: false } },
          ],
        },
        [[], []],
        place,
      );
      return { plot, place, now, curve };
    });
    // Only now each figure has the width that it keeps.
    this.resize();
    this.draw();
  }

  private resize(): void {
    for (const { plot, place } of this.plots) plot.setSize({ width: place.clientWidth, height });
  }

  private draw(): void {
    const times = this.samples.map(({ at }) => Date.parse(at) / 1_000);
    for (const { plot, now, curve } of this.plots) {
      const values = this.samples.map((sample, index) => curve.value(sample, this.samples[index - 1]));
      plot.setData([times, values]);
      const last = values.findLast((value) => value !== null);
      setText(
        now,
        last === undefined || last === null ? 'none yet' : `${Math.round(last * 10) / 10} ${curve.unit}`,
      );
    }
  }
}

/** Of a controller that was started anew, the count begins at 0. */
function rate(sample: SampleView, before: SampleView | undefined): number | null {
  if (before === undefined || sample.notices < before.notices) return null;
  const seconds = (Date.parse(sample.at) - Date.parse(before.at)) / 1_000;
  return seconds > 0 ? (sample.notices - before.notices) / seconds : null;
}
