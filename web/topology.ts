// SPDX-License-Identifier: Apache-2.0
/** Who is connected to whom: switches, the vip of the pool, its backends; a line is as wide as the share of new connections. */
import type { BackendView, MemberView, PoolView, StatusView } from './api.ts';
import { byId, endpointText, svg } from './dom.ts';
import { colourOf, inkOn, lettersOf } from './palette.ts';

/** More backends than these are counted, not drawn; the table has them all. */
const backendsShown = 16;
const switchesShown = 16;

const width = 640;
const rowHeight = 38;
const boxWidth = 170;

export class Topology {
  private readonly picture = byId('topology', HTMLElement);
  private last = '';

  show({ switch: target, engine }: StatusView, pool: PoolView): void {
    const members: readonly MemberView[] = target.members?.length
      ? target.members
      : [{ name: target.target, state: target.connection, rowsBehind: 0 }];
    const facts = JSON.stringify([members, engine.state, pool]);
    if (facts === this.last) return;
    this.last = facts;
    this.picture.replaceChildren(drawing(members, pool));
  }
}

function drawing(members: readonly MemberView[], pool: PoolView): SVGSVGElement {
  const switches = members.slice(0, switchesShown);
  const backends = pool.backends.slice(0, backendsShown);
  const more = pool.backends.length - backends.length;
  const rows = Math.max(switches.length, backends.length + Number(more > 0), 2);
  const height = rows * rowHeight + 24;
  const middle = height / 2;
  const yOf = (index: number, count: number): number => middle + (index - (count - 1) / 2) * rowHeight;
  const vipX = width / 2 - boxWidth / 2;
  const backendX = width - boxWidth;
  const picture = svg('svg', {
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-label': inWords(members, pool),
  });

  switches.forEach(({ name, state }, index) => {
    const y = yOf(index, switches.length);
    const isUp = state === 'participating' || state === 'ready';
    picture.append(line(boxWidth, y, vipX, middle, isUp ? 3 : 1, isUp ? 'up' : 'away'));
    picture.append(...box(0, y, name, state, isUp ? 'up' : 'away'));
  });
  backends.forEach((backend, index) => {
    const y = yOf(index, backends.length + Number(more > 0));
    const widthOfShare = backend.share === 0 ? 1 : 1 + 11 * backend.share;
    const link = line(vipX + boxWidth, middle, backendX, y, widthOfShare, backend.state);
    if (backend.share > 0) link.style.stroke = colourOf(backend.id);
    picture.append(
      link,
      ...box(backendX, y, backend.name, factOf(backend), backend.state),
      ...tag(backendX, y, backend.id),
    );
  });
  if (more > 0)
    picture.append(
      svg('text', { x: backendX + 8, y: yOf(backends.length, backends.length + 1) + 4 }, `and ${more} more`),
    );
  picture.append(...box(vipX, middle, pool.name, `${endpointText(pool)}/${pool.protocol}`, 'up'));
  return picture;
}

function factOf({ state, share }: BackendView): string {
  const percent = `${(share * 100).toFixed(1)} %`;
  return state === 'active' ? percent : `${state}, ${percent}`;
}

function line(fromX: number, fromY: number, toX: number, toY: number, strokeWidth: number, kind: string) {
  const middle = (fromX + toX) / 2;
  const d = `M ${fromX} ${fromY} C ${middle} ${fromY} ${middle} ${toY} ${toX} ${toY}`;
  return svg('path', { class: `link ${kind}`, d, 'stroke-width': strokeWidth });
}

function box(x: number, y: number, name: string, fact: string, kind: string): SVGElement[] {
  return [
    svg('rect', { class: `box ${kind}`, x, y: y - 16, width: boxWidth, height: 32, rx: 4 }),
    svg('text', { class: 'name', x: x + 8, y: y - 2 }, shortened(name, 18)),
    svg('text', { class: 'fact', x: x + 8, y: y + 11 }, shortened(fact, 24)),
  ];
}

function tag(x: number, y: number, id: number): SVGElement[] {
  const colour = colourOf(id);
  const field = svg('rect', { x: x + boxWidth - 24, y: y - 9, width: 18, height: 18, rx: 3 });
  field.style.fill = colour;
  const letters = svg('text', { class: 'letters', x: x + boxWidth - 15, y: y + 4 }, lettersOf(id));
  letters.style.fill = inkOn(colour);
  return [field, letters];
}

function inWords(members: readonly MemberView[], pool: PoolView): string {
  const switches = members.map(({ name, state }) => `${name} ${state}`).join(', ');
  const backends = pool.backends.map((backend) => `${backend.name} ${factOf(backend)}`).join(', ');
  return `Switches: ${switches}. They spread ${pool.name} over: ${backends || 'nobody'}.`;
}

const shortened = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;
