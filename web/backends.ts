// SPDX-License-Identifier: Apache-2.0
/** The backends of a pool as a table: shares, states, pins, and how far a drain has come. */
import type { BackendView, EditView, HealthView, PoolView } from './api.ts';
import { byId, element, endpointText, keepList, setText } from './dom.ts';
import { colourOf, inkOn, lettersOf } from './palette.ts';

/** What stands before the word of a state, so that it is seen at a glance without its colour. */
const signs = { active: '●', draining: '◐', disabled: '○', down: '✕', leaving: '◌' } as const;

export class Backends {
  private readonly body = byId('backends', HTMLElement);
  private readonly onEdit: (edit: EditView, words: string) => void;
  /** Of a drain: what the backend had when it was first seen to drain, by pool and backend id. */
  private readonly drains = new Map<string, number>();
  private pool: PoolView | undefined;
  private health = new Map<string, HealthView>();

  constructor(onEdit: (edit: EditView, words: string) => void) {
    this.onEdit = onEdit;
  }

  /** @param health  of those that are checked */
  show(pool: PoolView, health: readonly HealthView[]): void {
    this.pool = pool;
    this.health = new Map(health.map((one) => [one.backend, one]));
    const keys = new Set(pool.backends.map(({ id }) => `${pool.id} ${id}`));
    for (const key of this.drains.keys()) if (!keys.has(key)) this.drains.delete(key);
    keepList(
      this.body,
      pool.backends,
      ({ id, name }) => `${pool.name} ${id} ${name}`,
      (backend) => this.row(backend),
      (row, backend) => this.update(row, backend),
    );
  }

  private row({ id, name }: BackendView): HTMLElement {
    const colour = colourOf(id);
    const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' }, lettersOf(id));
    swatch.style.backgroundColor = colour;
    swatch.style.color = inkOn(colour);
    const bar = element('span', { class: 'bar', 'aria-hidden': 'true' }, element('span'));
    (bar.firstElementChild as HTMLElement).style.backgroundColor = colour;
    const actions = (['draining', 'active', 'down'] as const).map((state) => this.action(name, state));
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, swatch, ` ${name}`),
      element('td', { class: 'address' }),
      element('td', { class: 'state' }),
      element('td', { class: 'health' }),
      element('td', { class: 'number weight' }),
      element('td', { class: 'share' }, bar, element('span', { class: 'number' })),
      element('td', { class: 'number pins' }),
      element('td', { class: 'drain' }),
      element('td', { class: 'actions' }, ...actions),
    );
  }

  private action(backend: string, state: 'active' | 'draining' | 'down'): HTMLElement {
    const words = { draining: 'Drain', active: 'Restore', down: 'Fail' }[state];
    const button = element(
      'button',
      { type: 'button', 'data-state': state, 'aria-label': `${words} ${backend}` },
      words,
    );
    button.addEventListener('click', () => {
      if (this.pool === undefined) return;
      // Connections of a backend that is declared dead cannot be brought back.
      const question = `Declare ${backend} dead? Its connections are moved to others at once, and break.`;
      if (state === 'down' && !confirm(question)) return;
      this.onEdit(
        { kind: 'state', vip: this.pool.name, backend, state },
        `${words.toLowerCase()} ${backend}`,
      );
    });
    return button;
  }

  private update(row: Element, backend: BackendView): void {
    const { state, weight, share, pins, slots } = backend;
    const cell = (name: string): Element => row.querySelector(`.${name}`)!;
    setText(cell('address'), endpointText(backend));
    setText(cell('state'), `${signs[state]} ${state}`);
    cell('state').className = `state ${state}`;
    setText(cell('health'), healthWords(this.health.get(backend.name)));
    setText(cell('weight'), String(weight));
    setText(cell('share').lastElementChild!, `${(share * 100).toFixed(1)} %`);
    (cell('bar').firstElementChild as HTMLElement).style.width = `${share * 100}%`;
    setText(cell('pins'), String(pins));
    this.updateDrain(cell('drain'), backend);
    for (const button of row.querySelectorAll('button')) {
      const isMeaningless = button.dataset.state === state || state === 'leaving';
      button.hidden = isMeaningless;
    }
    row.setAttribute('data-slots', String(slots));
  }

  /** A drain ends when no slot and no pin is left; that old flows of unstable slots may be left is told by the map. */
  private updateDrain(cell: Element, { id, name, state, slots, pins }: BackendView): void {
    const key = `${this.pool!.id} ${id}`;
    if (state !== 'draining' && state !== 'leaving') {
      this.drains.delete(key);
      cell.replaceChildren();
      return;
    }
    const most = Math.max(this.drains.get(key) ?? 0, slots + pins);
    this.drains.set(key, most);
    const left = slots + pins;
    let progress = cell.querySelector('progress');
    if (progress === null) {
      progress = element('progress', { 'aria-label': `Drain of ${name}` });
      cell.replaceChildren(progress, element('small'));
    }
    progress.max = Math.max(most, 1);
    progress.value = most === 0 ? 1 : most - left;
    const unstable = this.pool!.unstableSlots;
    const rest = unstable === 0 ? 'done' : `${unstable} slots of the pool unstable`;
    setText(cell.lastElementChild!, left === 0 ? rest : `${slots} slots, ${pins} pins left`);
  }
}

function healthWords(health: HealthView | undefined): string {
  if (health === undefined) return 'not checked';
  const { state, verdict, failure, latencyMs } = health;
  const time = latencyMs === undefined ? '' : `, ${Math.round(latencyMs * 10) / 10} ms`;
  const words = {
    up: `✓ up${time}`,
    down: `✕ down${failure === undefined ? '' : ` (${failure})`}`,
    unknown: '? not asked yet',
  };
  return verdict === 'trusted' ? words[state] : `${words[state]}, ${verdict}`;
}
