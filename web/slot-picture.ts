// SPDX-License-Identifier: Apache-2.0
/**
 * The slot map as a picture: a square for each slot in the colour of its backend. An unstable slot is parted by a line: above
 * it who gets new connections, below who has the old ones. A seat is crossed out. Arrow keys walk over it and say what they see.
 */
import { byId, element, keepList, setText } from './dom.ts';
import { colourOf, inkOn, lettersOf, noColour } from './palette.ts';
import { countSlots, describeSlot, type Layout, layoutOf, marks, type SlotMap, slotAt } from './slot-map.ts';

/** Squares at least so large have the letters of their backend in them. */
const letterCell = 13;

export class SlotPicture {
  private readonly canvas = byId('slot-canvas', HTMLCanvasElement);
  private readonly words = byId('slot-words', HTMLElement);
  private readonly summary = byId('slot-summary', HTMLElement);
  private readonly legend = byId('slot-legend', HTMLElement);
  private map: SlotMap | undefined;
  private layout: Layout = { columns: 1, rows: 1, cell: 1 };
  private cursor: number | undefined;
  /** The backend that alone is shown in full; undefined: all. */
  private chosen: number | undefined;

  constructor() {
    new ResizeObserver(() => this.draw()).observe(this.canvas.parentElement!);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    this.canvas.addEventListener('mousemove', (event) =>
      this.look(slotAt(event.offsetX, event.offsetY, this.layout)),
    );
    this.canvas.addEventListener('mouseleave', () => this.look(undefined));
    this.canvas.addEventListener('keydown', (event) => this.walk(event));
    this.canvas.addEventListener('focus', () => this.look(this.cursor ?? 0));
    this.canvas.addEventListener('blur', () => this.look(undefined));
  }

  show(map: SlotMap): void {
    if (map.pool !== this.map?.pool) this.chosen = undefined;
    this.map = map;
    const unstable = map.marks.reduce((sum, mark) => sum + Number(mark !== marks.stable), 0);
    setText(
      this.summary,
      unstable === 0
        ? `${map.slotCount} slots, all stable`
        : `${map.slotCount} slots, ${unstable} unstable: a change is not merged yet`,
    );
    this.showLegend(map);
    this.draw();
    if (this.cursor !== undefined) this.look(this.cursor);
  }

  private showLegend(map: SlotMap): void {
    const counts = countSlots(map);
    const items = map.backends.map((backend, index) => ({ ...backend, index, ...counts[index]! }));
    keepList(
      this.legend,
      items,
      ({ id, name }) => `${id} ${name}`,
      ({ id, name }) => {
        const colour = colourOf(id);
        const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' }, lettersOf(id));
        swatch.style.backgroundColor = colour;
        swatch.style.color = inkOn(colour);
        const button = element(
          'button',
          { type: 'button', 'aria-pressed': 'false' },
          swatch,
          ` ${name} `,
          element('small'),
        );
        button.addEventListener('click', () => {
          this.chosen = this.chosen === id ? undefined : id;
          if (this.map !== undefined) this.show(this.map);
        });
        return element('li', {}, button);
      },
      (child, { id, owned, unstable }) => {
        child.firstElementChild!.setAttribute('aria-pressed', String(this.chosen === id));
        setText(
          child.querySelector('small')!,
          unstable === 0 ? `${owned}` : `${owned}, ${unstable} unstable`,
        );
      },
    );
  }

  private draw(): void {
    const { map, canvas } = this;
    const context = canvas.getContext('2d');
    if (map === undefined || context === null) return;
    const width = canvas.parentElement!.clientWidth;
    this.layout = layoutOf(map.slotCount, width);
    const { columns, rows, cell } = this.layout;
    const scale = devicePixelRatio;
    canvas.width = columns * cell * scale;
    canvas.height = rows * cell * scale;
    canvas.style.width = `${columns * cell}px`;
    canvas.style.height = `${rows * cell}px`;
    context.scale(scale, scale);
    const line = getComputedStyle(canvas).getPropertyValue('--slot-line');
    for (let slot = 0; slot < map.slotCount; slot++) this.drawSlot(context, map, slot, line);
    if (this.cursor !== undefined) this.drawCursor(context, this.cursor);
  }

  private drawSlot(context: CanvasRenderingContext2D, map: SlotMap, slot: number, line: string): void {
    const { columns, cell } = this.layout;
    const x = (slot % columns) * cell;
    const y = Math.floor(slot / columns) * cell;
    const gap = cell >= 6 ? 1 : 0;
    const side = cell - gap;
    const owner = map.backends[map.owners[slot]! - 1];
    const base = map.backends[map.bases[slot]! - 1];
    const isShown = this.chosen === undefined || owner?.id === this.chosen || base?.id === this.chosen;
    context.globalAlpha = isShown ? 1 : 0.12;
    context.fillStyle = owner === undefined ? noColour : colourOf(owner.id);
    context.fillRect(x, y, side, side);
    const mark = map.marks[slot];
    if (mark !== marks.stable) {
      context.fillStyle = base === undefined ? noColour : colourOf(base.id);
      if (mark === marks.unstable) {
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(x + side, y + side);
        context.lineTo(x, y + side);
        context.fill();
      }
      context.strokeStyle = line;
      context.lineWidth = Math.max(1, cell / 8);
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + side, y + side);
      if (mark === marks.seat) {
        context.moveTo(x + side, y);
        context.lineTo(x, y + side);
      }
      context.stroke();
    } else if (cell >= letterCell && owner !== undefined) {
      context.fillStyle = inkOn(colourOf(owner.id));
      context.font = `${Math.round(cell * 0.55)}px sans-serif`;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.fillText(lettersOf(owner.id), x + side / 2, y + side / 2 + 0.5);
    }
    context.globalAlpha = 1;
  }

  private drawCursor(context: CanvasRenderingContext2D, slot: number): void {
    const { columns, cell } = this.layout;
    const x = (slot % columns) * cell;
    const y = Math.floor(slot / columns) * cell;
    // Two rings: one of them stands out from any colour.
    for (const [ink, out] of [
      ['#ffffff', 1],
      ['#000000', 3],
    ] as const) {
      context.strokeStyle = ink;
      context.lineWidth = 2;
      context.strokeRect(x - out, y - out, cell + 2 * out - 1, cell + 2 * out - 1);
    }
  }

  private look(slot: number | undefined): void {
    this.cursor = slot !== undefined && slot < (this.map?.slotCount ?? 0) ? slot : undefined;
    setText(
      this.words,
      this.map === undefined || this.cursor === undefined
        ? 'Point at a slot, or move with the arrow keys, to read what it is.'
        : describeSlot(this.map, this.cursor),
    );
    this.draw();
  }

  private walk(event: KeyboardEvent): void {
    const { columns } = this.layout;
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -(this.cursor ?? 0),
      End: (this.map?.slotCount ?? 1) - 1 - (this.cursor ?? 0),
    };
    const step = steps[event.key];
    if (step === undefined || this.map === undefined) return;
    event.preventDefault();
    const target = (this.cursor ?? 0) + step;
    if (target >= 0 && target < this.map.slotCount) this.look(target);
  }
}
