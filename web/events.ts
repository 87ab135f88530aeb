// SPDX-License-Identifier: Apache-2.0
/** What happens, newest first, as it is told; of one topic if one wants. */
import { type EventView, eventStream } from './api.ts';
import { byId, element } from './dom.ts';

/** The oldest lines leave the page. */
const linesMax = 300;

const signs: Readonly<Record<string, string>> = { warn: '⚠ ', error: '✕ ' };

export class Events {
  private readonly list = byId('events', HTMLElement);
  private readonly topic = byId('topic', HTMLSelectElement);
  private readonly announcer = byId('announcer', HTMLElement);
  private isLive = false;

  constructor() {
    this.topic.addEventListener('change', () => this.filter());
  }

  start(): void {
    const stream = eventStream();
    stream.addEventListener('message', ({ data }) => this.add(JSON.parse(data) as EventView));
    stream.addEventListener('open', () => {
      // What comes at once has happened before; only what comes later is read out.
      setTimeout(() => (this.isLive = true), 1_000);
    });
  }

  private add(event: EventView): void {
    const facts = Object.entries(event.fields).map(([name, value]) => `${name} ${value}`);
    const time = element('time', { datetime: event.at }, new Date(event.at).toLocaleTimeString());
    const line = element(
      'li',
      { class: event.level, 'data-topic': event.topic },
      time,
      element('span', { class: 'topic' }, event.topic),
      element('span', {}, `${signs[event.level] ?? ''}${event.message}`),
      facts.length > 0 ? element('small', {}, facts.join(', ')) : undefined,
    );
    line.hidden = !this.isWanted(line);
    this.list.prepend(line);
    while (this.list.children.length > linesMax) this.list.lastElementChild!.remove();
    if (this.isLive && !line.hidden) this.announcer.textContent = `${event.topic}: ${event.message}`;
  }

  private filter(): void {
    for (const line of this.list.children) (line as HTMLElement).hidden = !this.isWanted(line as HTMLElement);
  }

  private isWanted(line: HTMLElement): boolean {
    return this.topic.value === '' || line.dataset.topic === this.topic.value;
  }
}
