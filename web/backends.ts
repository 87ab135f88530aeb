// SPDX-License-Identifier: Apache-2.0
/** The backends of a pool as a table: shares, states, pins, and how they come and go. */
import type { BackendView, EditView, HealthView, LifecycleView, PoolView } from './api.ts';
import { byId, element, endpointText, keepList, setText } from './dom.ts';
import { colourOf, inkOn, lettersOf } from './palette.ts';
import { spanOf } from './span.ts';

/** What stands before the word of a state, so that it is seen at a glance without its colour. */
const signs = { active: '●', draining: '◐', disabled: '○', down: '✕', leaving: '◌' } as const;

const states = ['draining', 'active', 'disabled', 'down'] as const;

export class Backends {
  private readonly body = byId('backends', HTMLElement);
  private readonly onEdit: (edit: EditView, words: string) => void;
  /** Of a drain: what the backend had when it was first seen to drain, by pool and backend id. */
  private readonly drains = new Map<string, number>();
  private pool: PoolView | undefined;
  /** Of the engine, which its times count from. */
  private now = 0;
  private health = new Map<string, HealthView>();
  private lifecycle = new Map<string, LifecycleView>();

  constructor(onEdit: (edit: EditView, words: string) => void) {
    this.onEdit = onEdit;
  }

  /** @param health  of those that are checked */
  show(
    pool: PoolView,
    now: number,
    health: readonly HealthView[],
    lifecycle: readonly LifecycleView[],
  ): void {
    this.pool = pool;
    this.now = now;
    this.lifecycle = new Map(lifecycle.map((one) => [one.backend, one]));
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
    const actions = states.map((state) => this.action(name, state));
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

  private action(backend: string, state: (typeof states)[number]): HTMLElement {
    const words = { draining: 'Drain', active: 'Restore', disabled: 'Disable', down: 'Fail' }[state];
    const button = element(
      'button',
      { type: 'button', 'data-state': state, 'aria-label': `${words} ${backend}` },
      words,
    );
    button.addEventListener('click', () => {
      if (this.pool === undefined) return;
      // Connections that have been cut cannot be brought back.
      const what = {
        down: `Declare ${backend} dead?`,
        disabled: `Disable ${backend}?`,
        draining: '',
        active: '',
      }[state];
      const question = `${what} Its connections are moved to others at once, and break.`;
      if (what !== '' && !confirm(question)) return;
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
    setText(cell('state'), `${signs[state]} ${this.stateWord(backend)}`);
    cell('state').className = `state ${state}`;
    setText(cell('health'), healthWords(this.health.get(backend.name)));
    setText(cell('weight'), String(weight));
    setText(cell('share').lastElementChild!, `${(share * 100).toFixed(1)} %`);
    (cell('bar').firstElementChild as HTMLElement).style.width = `${share * 100}%`;
    setText(cell('pins'), String(pins));
    this.updateDrain(cell('drain'), backend);
    for (const button of row.querySelectorAll('button')) {
      const wish = this.lifecycle.get(backend.name)?.wish ?? state;
      const isMeaningless = button.dataset.state === wish || state === 'leaving';
      button.hidden = isMeaningless;
    }
    row.setAttribute('data-slots', String(slots));
  }

  private stateWord({ name, state, drain }: BackendView): string {
    const share = this.lifecycle.get(name)?.share ?? 1;
    if (state === 'active' && share < 1) return `filling ${Math.round(share * 100)} %`;
    return state === 'draining' && drain?.isDrained ? 'drained' : state;
  }

  /** Of a drain how much is left, and for how long; of one that fills when it has its whole weight. */
  private updateDrain(cell: Element, backend: BackendView): void {
    const { id, name, state, slots, pins, drain } = backend;
    const key = `${this.pool!.id} ${id}`;
    const { share = 1, fillMs = 0, deadlineMs, wish } = this.lifecycle.get(name) ?? {};
    if (drain === undefined) {
      this.drains.delete(key);
      if (state === 'active' && share < 1) cell.replaceChildren(`whole in ${spanOf(fillMs)}`);
      else if (state === 'active' && wish === 'draining') cell.replaceChildren('hands its seat over');
      else if (state === 'disabled' && deadlineMs === 0)
        cell.replaceChildren('deadline passed: what was left was cut');
      else cell.replaceChildren();
      return;
    }
    const left = Math.max(slots, drain.baseSlots) + pins;
    const most = Math.max(this.drains.get(key) ?? 0, left);
    this.drains.set(key, most);
    let progress = cell.querySelector('progress');
    if (progress === null) {
      progress = element('progress', { 'aria-label': `Drain of ${name}` });
      cell.replaceChildren(progress, element('small'));
    }
    progress.max = Math.max(most, 1);
    progress.value = most === 0 ? 1 : most - left;
    const deadline = deadlineMs === undefined || drain.isDrained ? '' : `; deadline in ${spanOf(deadlineMs)}`;
    setText(cell.lastElementChild!, `${drainWords(backend, this.now)}${deadline}`);
  }
}

function drainWords({ slots, pins, drain }: BackendView, now: number): string {
  const { baseSlots, promisedUntil, hasServerId, isDrained } = drain!;
  const named = hasServerId ? ', packets may still name it' : '';
  if (isDrained) return hasServerId ? `nothing left${named}` : 'nothing left: may be stopped';
  const until = promisedUntil === undefined ? '' : ` for ${spanOf(Math.max(0, promisedUntil - now))}`;
  const moved = slots === 0 ? `${baseSlots} slots${until}` : `${slots} slots not moved yet`;
  return `${moved}, ${pins} pins left${named}`;
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
