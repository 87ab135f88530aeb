// SPDX-License-Identifier: Apache-2.0
/** The four filter slots as they rotate, the column of new flows, and the change under way. */
import type { FilterView, StatusView } from './api.ts';
import { byId, element, keepList, setText } from './dom.ts';

const phases = ['idle', 'columns', 'slots', 'settling', 'rebasing', 'committing'] as const;
const signs = { active: '▶', quarantine: '◷', free: '○' } as const;

export class Filters {
  private readonly list = byId('filters', HTMLElement);
  private readonly change = byId('change', HTMLElement);
  private readonly phases = byId('phases', HTMLElement);
  /** Of a rest: how long it was when first seen, by slot and epoch. */
  private readonly rests = new Map<string, number>();

  show({ engine: { version, change, now } }: StatusView): void {
    keepList(
      this.list,
      version.filters,
      ({ filterSlot }) => String(filterSlot),
      ({ filterSlot }) =>
        element(
          'li',
          {},
          element('strong', {}, `Filter ${filterSlot}`),
          element('span', { class: 'filter-state' }),
          element('span', { class: 'filter-facts' }),
          element('progress', { 'aria-label': `Rest of filter ${filterSlot}` }),
        ),
      (item, filter) => this.update(item, filter, now),
    );
    const waiting = change.waitingFor === undefined ? '' : `, waiting for ${change.waitingFor}`;
    setText(
      this.change,
      change.phase === 'idle'
        ? `No change under way${waiting}. New connections are looked up in column ${version.column}.`
        : `A change is under way: ${change.phase}, ${change.rows} rows${waiting}.`,
    );
    keepList(
      this.phases,
      phases,
      (phase) => phase,
      (phase) => element('li', {}, phase),
      (item, phase) => {
        if (phase === change.phase) item.setAttribute('aria-current', 'step');
        else item.removeAttribute('aria-current');
      },
    );
  }

  private update(
    item: Element,
    { filterSlot, state, epoch, column, reusableAt }: FilterView,
    now: number,
  ): void {
    item.className = state;
    setText(
      item.querySelector('.filter-state')!,
      `${signs[state]} ${state === 'quarantine' ? 'resting' : state}`,
    );
    const rest = reusableAt === undefined ? 0 : Math.max(0, reusableAt - now);
    const until = state === 'quarantine' ? `, ${Math.ceil(rest / 1_000)} s left` : '';
    setText(
      item.querySelector('.filter-facts')!,
      state === 'free' ? 'knows nobody' : `epoch ${epoch}, column ${column}${until}`,
    );
    const progress = item.querySelector('progress')!;
    progress.hidden = state !== 'quarantine';
    const key = `${filterSlot} ${epoch}`;
    for (const other of this.rests.keys())
      if (other.startsWith(`${filterSlot} `) && other !== key) this.rests.delete(other);
    const longest = Math.max(this.rests.get(key) ?? 1, rest);
    this.rests.set(key, longest);
    progress.max = longest;
    progress.value = longest - rest;
  }
}
