// SPDX-License-Identifier: Apache-2.0
/** What happened last, by what it happened to: printed with a violation when a world is run again to be looked at. */
import type { Flow } from '../../controller/core/flow-hash.ts';
import type { RowUpdate, SwitchRow } from '../../controller/core/row.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import { slotsOf } from '../switch/prefix-rows.ts';
import type { Device } from './device.ts';

interface Note {
  at: number;
  topic: string;
  text: string;
}

const noteLimit = 5_000;
const excerptLength = 30;

export const everybody = 'everybody';

export class Chronicle {
  readonly isKept: boolean;
  readonly #clock: SimClock;
  #notes: Note[] = [];

  constructor(isKept: boolean, clock: SimClock) {
    this.isKept = isKept;
    this.#clock = clock;
  }

  note(topic: string, text: string): void {
    if (!this.isKept) return;
    this.#notes.push({ at: Math.round(this.#clock.now()), topic, text });
    if (this.#notes.length >= 2 * noteLimit) this.#notes = this.#notes.slice(noteLimit);
  }

  noteRow(device: Device, { operation, row }: RowUpdate<SwitchRow>, outcome: string): void {
    if (!this.isKept) return;
    const where = `switch ${device.index}: ${operation} ${row.table}`;
    switch (row.table) {
      case 'slot':
        this.note(slotTopic(row), `${where}${flagsOf(row)} ${row.backend} ${outcome}`);
        break;
      case 'slot_prefix':
      case 'slot_version_prefix': {
        const { first, end } = slotsOf(row);
        const text = row.table === 'slot_prefix' ? flagsOf(row) : ` column ${row.column}`;
        for (let slot = first; slot < end; slot++)
          this.note(
            slotTopic({ pool: row.pool, slot }),
            `${where} /${row.prefixLength}${text} ${row.backend} ${outcome}`,
          );
        break;
      }
      case 'slot_version':
        this.note(slotTopic(row), `${where} column ${row.column} ${row.backend} ${outcome}`);
        break;
      case 'pin':
        this.note(flowTopic(row), `${where} ${row.backend}, ${row.idleTimeoutMs} ms ${outcome}`);
        break;
      case 'version': {
        const filters = row.filters.map(
          ({ epoch, column, learn }) => `${epoch}/${column}${learn ? ' learns' : ''}`,
        );
        this.note(everybody, `${where} active ${row.active} of [${filters.join(', ')}] ${outcome}`);
        break;
      }
      case 'vip':
        this.note(everybody, `${where} -> pool ${row.pool} ${outcome}`);
        break;
      default:
        break;
    }
  }

  /** The end of the story of a flow: itself, its slot, and what concerns everybody. */
  excerpt(flow: Flow, device: Device): string[] {
    const slot = device.mirror.slotOf(flow);
    const topics = [everybody, flowTopic(flow), slot ? slotTopic(slot) : ''];
    return this.#notes
      .filter(({ topic }) => topics.includes(topic))
      .slice(-excerptLength)
      .map(({ at, text }) => `${at} ${text}`);
  }
}

function flagsOf({ unstable, pinsBase }: { unstable: boolean; pinsBase: boolean }): string {
  return ` ${unstable ? 'unstable' : 'stable'}${pinsBase ? ' pins base' : ''}`;
}

export function flowTopic(flow: Pick<Flow, 'sourceAddress' | 'sourcePort'>): string {
  return `flow ${flow.sourceAddress}:${flow.sourcePort}`;
}

function slotTopic({ pool, slot }: { pool: number; slot: number }): string {
  return `slot ${pool}/${slot}`;
}
