// SPDX-License-Identifier: Apache-2.0
/**
 * A switch whose prefix tables look as if they had a row a slot: whoever writes speaks of slots, the switch holds rows of
 * prefixes (slot_prefix, slot_version_prefix). Rows of all other tables pass as they are.
 *
 *   slot rows of a pool ──gathered──> fewest rows ──step──> step ──> ... ──acknowledged──> each slot's update is answered
 *                            ^                                │
 *                            └───── what came meanwhile ──────┘
 *
 * An update is answered as done when the slot's effective row is what was asked, whatever other rows that took; while
 * its table changes it goes from its old row to its new one and sees no third (prefix-table.ts). When the switch refuses a row the
 * steps behind it are not taken: slots that have not changed by then stay as they were, and their updates fail.
 *
 * Limits: rows in flight, `rowsInFlightMax`; updates that wait, by whoever writes: an update a slot and column at most.
 */
import type { WriteFailure, WriteFailureCode } from '../core/event.ts';
import type { DigestRates } from '../core/options.ts';
import { firstSlotOf, NO_VALUE, nodeOf, prefixLengthOf } from '../core/prefix-cover.ts';
import type {
  Row,
  RowUpdate,
  SlotPrefixRow,
  SlotRow,
  SlotVersionPrefixRow,
  SlotVersionRow,
  SwitchRow,
} from '../core/row.ts';
import type { Clock } from '../ports/clock.ts';
import type { Solicitation, SwitchEvent, SwitchPort, SwitchStatus } from '../ports/switch.ts';
import { PrefixTable, type RowChange, UNKNOWN } from './prefix-table.ts';
import { nodeOfRow, prefixRow, slotOfValue, valueOfRow } from './slot-values.ts';

export interface PrefixPortOptions {
  /** Rows in one write. */
  batchRows: number;
  rowsInFlightMax: number;
  /** A row that fails so often ends the transition; what it was to bring fails, and may be asked for again. */
  attempts: number;
}

export const prefixPortDefaults: Readonly<PrefixPortOptions> = {
  batchRows: 500,
  rowsInFlightMax: 2_000,
  attempts: 4,
};

type PrefixedUpdate = RowUpdate<SlotRow | SlotVersionRow>;

/** One write of the controller, and what is known of it. */
interface Asked {
  readonly write: number;
  /** Updates, or parts of it, that are not answered. */
  left: number;
  readonly failures: WriteFailure[];
}

interface SlotUpdate {
  readonly asked: Asked;
  readonly index: number;
  readonly operation: RowUpdate['operation'];
  readonly slot: number;
  readonly value: number;
}

/** One prefix table of a pool on the switch: column 0 is slot_prefix. */
interface Place {
  readonly pool: number;
  readonly column: 0 | 1 | 2 | 3;
  table: PrefixTable;
  waiting: SlotUpdate[];
  isChanging: boolean;
  /** How often it has begun to. */
  changes: number;
  /** The switch has refused a row for want of room. */
  isShortOfRoom: boolean;
}

interface Request {
  readonly updates: readonly RowUpdate<SwitchRow>[];
  readonly onAnswer: (failures: readonly WriteFailure[]) => void;
}

/** The gravest first. */
const severity: readonly WriteFailureCode[] = ['full', 'rejected', 'unavailable', 'exists', 'missing'];

export class PrefixPort implements SwitchPort {
  private readonly port: SwitchPort<SwitchRow>;
  private readonly clock: Clock;
  private readonly options: PrefixPortOptions;
  private listener: (event: SwitchEvent) => void = () => {};
  private places = new Map<number, Place>();
  private readonly answers = new Map<number, Request['onAnswer']>();
  private queue: Request[] = [];
  private rowsInFlight = 0;
  private nextWrite = 1;
  private cancelTimer: (() => void) | undefined;

  constructor(port: SwitchPort<SwitchRow>, clock: Clock, options: Partial<PrefixPortOptions> = {}) {
    this.port = port;
    this.clock = clock;
    this.options = { ...prefixPortDefaults, ...options };
  }

  start(listener: (event: SwitchEvent) => void): void {
    this.listener = listener;
    this.port.start((event) => this.receive(event));
  }

  write(write: number, updates: readonly RowUpdate[]): void {
    const plain = updates.flatMap((update, index) => (isPrefixed(update) ? [] : [{ update, index }]));
    const isPlain = plain.length > 0 || updates.length === 0;
    const asked: Asked = { write, left: Number(isPlain) + updates.length - plain.length, failures: [] };
    if (isPlain) {
      this.send(
        plain.map(({ update }) => update),
        (failures) => {
          asked.failures.push(
            ...failures.map((failure) => ({ ...failure, index: plain[failure.index]!.index })),
          );
          this.answer(asked);
        },
      );
    }
    if (plain.length === updates.length) return;
    updates.forEach((update, index) => {
      if (isPrefixed(update)) this.take(update, index, asked);
    });
    // What is written in one breath becomes one change of the table.
    this.cancelTimer ??= this.clock.after(0, () => {
      this.cancelTimer = undefined;
      for (const place of this.places.values()) if (!place.isChanging) this.change(place);
    });
  }

  solicit(solicitation: Solicitation): void {
    this.port.solicit(solicitation);
  }

  limit(rates: DigestRates): void {
    this.port.limit?.(rates);
  }

  /** Tables that nobody was changing are taken over as they are: somebody else may have written to them. */
  async readBack(): Promise<readonly Row[]> {
    if (this.port.readBack === undefined) throw new Error('the switch cannot be read back');
    const { places } = this;
    const changesBefore = new Map([...places].map(([key, { changes }]) => [key, changes]));
    const rows = await this.port.readBack();
    const found = new Map<number, Place>();
    const expanded = expand(rows, found);
    for (const [key, place] of places) {
      const isAtRest = !place.isChanging && place.changes === changesBefore.get(key);
      if (isAtRest) place.table = found.get(key)?.table ?? new PrefixTable();
    }
    for (const [key, place] of found) if (!places.has(key)) places.set(key, place);
    return expanded;
  }

  status(): SwitchStatus {
    return this.port.status();
  }

  async close(): Promise<void> {
    this.forget();
    this.listener = () => {};
    await this.port.close();
  }

  private receive(event: SwitchEvent<SwitchRow>): void {
    switch (event.kind) {
      case 'connected':
        this.forget();
        this.listener({ ...event, rows: expand(event.rows, this.places) });
        return;
      case 'disconnected':
        this.forget();
        this.listener(event);
        return;
      case 'written': {
        const answer = this.answers.get(event.write);
        this.answers.delete(event.write);
        answer?.(event.failures);
        return;
      }
      default:
        this.listener(event);
    }
  }

  /** What was sent will not be answered, and the tables will be read again. */
  private forget(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.places = new Map();
    this.answers.clear();
    this.queue = [];
    this.rowsInFlight = 0;
  }

  private take({ operation, row }: PrefixedUpdate, index: number, asked: Asked): void {
    const value = operation === 'delete' ? NO_VALUE : valueOfRow(row);
    placeOf(this.places, row).waiting.push({ asked, index, operation, slot: row.slot, value });
  }

  /** Brings the table to what is wanted by now. */
  private change(place: Place): void {
    if (place.waiting.length === 0) return;
    const { table } = place;
    const { waiting } = place;
    // Whoever hears of an answer may write again at once.
    place.waiting = [];
    place.isChanging = true;
    place.changes++;
    const accepted = waiting.filter((update) => this.accept(table, update));
    const takeAll = (): void => this.takeStep(place, table.plan(), accepted);
    if (!place.isShortOfRoom) takeAll();
    else this.makeRoom(place, table.planRemovals(), takeAll);
  }

  /** As a switch would that has a row a slot. */
  private accept(table: PrefixTable, { asked, index, operation, slot, value }: SlotUpdate): boolean {
    const isKnown = table.effectiveOf(slot) !== UNKNOWN;
    const isThere = table.wantedOf(slot) !== NO_VALUE;
    const isWrong = operation === 'insert' ? isThere : !isThere;
    if (isKnown && isWrong) {
      const code = operation === 'insert' ? 'exists' : 'missing';
      asked.failures.push({ index, code, message: `the slot has ${isThere ? 'a row' : 'no row'}` });
      this.answer(asked);
      return false;
    }
    table.want(slot, value);
    return true;
  }

  private makeRoom(place: Place, [step, ...steps]: RowChange[][], onDone: () => void): void {
    if (step === undefined) {
      onDone();
      return;
    }
    this.bring(place, step, this.options.attempts, (failures) =>
      failures.size === 0 ? this.makeRoom(place, steps, onDone) : onDone(),
    );
  }

  private takeStep(place: Place, [step, ...steps]: RowChange[][], accepted: readonly SlotUpdate[]): void {
    if (step === undefined) {
      this.finish(place, accepted, new Map());
      return;
    }
    this.bring(place, step, this.options.attempts, (failures) => {
      if (failures.size === 0) this.takeStep(place, steps, accepted);
      else this.finish(place, accepted, failures);
    });
  }

  /** Makes the changes, and those that failed again. @param onDone  is told of those that could not be made, by node */
  private bring(
    place: Place,
    changes: readonly RowChange[],
    attempts: number,
    onDone: (failures: ReadonlyMap<number, WriteFailure>) => void,
  ): void {
    const { table } = place;
    const final = new Map<number, WriteFailure>();
    const again: RowChange[] = [];
    let left = changes.length;
    const onAnswer = (part: readonly RowChange[], failures: readonly WriteFailure[]): void => {
      const failed = new Map(failures.map((failure) => [failure.index, failure]));
      part.forEach((change, index) => {
        const failure = failed.get(index);
        if (failure === undefined || (failure.code === 'missing' && change.value === NO_VALUE)) {
          table.done(change);
          return;
        }
        if (failure.code === 'exists') table.exists(change);
        else if (failure.code === 'missing') table.isMissing(change);
        else if (failure.code === 'unavailable') table.doubt(change);
        if (failure.code === 'full' || attempts === 1) final.set(change.node, failure);
        else again.push(change);
      });
      left -= part.length;
      if (left > 0) return;
      if (again.length === 0 || final.size > 0) onDone(final);
      else this.bring(place, again, attempts - 1, onDone);
    };
    const batchRows = Math.min(this.options.batchRows, this.options.rowsInFlightMax);
    for (let from = 0; from < changes.length; from += batchRows) {
      const part = changes.slice(from, from + batchRows);
      const updates = part.map((change) => updateOf(place, change));
      this.queue.push({ updates, onAnswer: (failures) => onAnswer(part, failures) });
    }
    this.sendQueued();
  }

  private finish(
    place: Place,
    accepted: readonly SlotUpdate[],
    failures: ReadonlyMap<number, WriteFailure>,
  ): void {
    const { table } = place;
    table.refresh();
    place.isShortOfRoom = [...failures.values()].some(({ code }) => code === 'full');
    const gravest = [...failures.values()].sort(
      (a, b) => severity.indexOf(a.code) - severity.indexOf(b.code),
    )[0];
    for (const { asked, index, slot } of accepted) {
      const effective = table.effectiveOf(slot);
      if (effective !== table.wantedOf(slot)) {
        const { code, message } = failureOf(slot, failures) ?? gravest ?? lost;
        const isKnown = effective !== UNKNOWN;
        const told = isKnown && (code === 'full' || code === 'rejected') ? code : 'unavailable';
        asked.failures.push({ index, code: told, message });
      }
      this.answer(asked);
    }
    // Slots whose update has failed are as they were. Those in doubt will be asked for again.
    for (const { slot } of accepted) {
      const effective = table.effectiveOf(slot);
      if (effective !== UNKNOWN) table.want(slot, effective);
    }
    place.isChanging = false;
    this.change(place);
  }

  private answer(asked: Asked): void {
    asked.left--;
    if (asked.left > 0) return;
    const failures = asked.failures.sort((a, b) => a.index - b.index);
    this.listener({ kind: 'written', write: asked.write, failures });
  }

  private sendQueued(): void {
    const { rowsInFlightMax } = this.options;
    while (this.queue.length > 0) {
      const { updates, onAnswer } = this.queue[0]!;
      if (this.rowsInFlight > 0 && this.rowsInFlight + updates.length > rowsInFlightMax) return;
      this.queue.shift();
      this.rowsInFlight += updates.length;
      this.send(updates, (failures) => {
        this.rowsInFlight -= updates.length;
        onAnswer(failures);
        this.sendQueued();
      });
    }
  }

  private send(updates: readonly RowUpdate<SwitchRow>[], onAnswer: Request['onAnswer']): void {
    const write = this.nextWrite++;
    this.answers.set(write, onAnswer);
    this.port.write(write, updates);
  }
}

/** @returns the rows, those of prefixes as rows of slots; `places` is given their tables */
function expand(rows: readonly SwitchRow[], places: Map<number, Place>): Row[] {
  const plain: Row[] = [];
  for (const row of rows) {
    if (row.table !== 'slot_prefix' && row.table !== 'slot_version_prefix') plain.push(row);
    else placeOf(places, row).table.load(nodeOfRow(row), valueOfRow(row));
  }
  for (const { pool, column, table } of places.values()) {
    table.loaded();
    for (let slot = 0; slot < table.slotCount; slot++) {
      const value = table.wantedOf(slot);
      if (value !== NO_VALUE) plain.push(slotOfValue(pool, column, slot, value));
    }
  }
  return plain;
}

function placeOf(
  places: Map<number, Place>,
  row: SlotRow | SlotVersionRow | SlotPrefixRow | SlotVersionPrefixRow,
): Place {
  const column = 'column' in row ? row.column : 0;
  const key = row.pool * 4 + column;
  let place = places.get(key);
  if (place === undefined) {
    const table = new PrefixTable();
    place = {
      pool: row.pool,
      column,
      table,
      waiting: [],
      isChanging: false,
      changes: 0,
      isShortOfRoom: false,
    };
    places.set(key, place);
  }
  return place;
}

const lost: Pick<WriteFailure, 'code' | 'message'> = { code: 'unavailable', message: 'an answer was lost' };

/** Of the row of the slot, or of a longer one that it might have. */
function failureOf(slot: number, failures: ReadonlyMap<number, WriteFailure>): WriteFailure | undefined {
  for (let node = nodeOf(slot, 1); node >= 1; node >>= 1) {
    const failure = failures.get(node);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function updateOf({ pool, column, table }: Place, { node, value }: RowChange): RowUpdate<SwitchRow> {
  const row = prefixRow(pool, column, firstSlotOf(node), prefixLengthOf(node), value);
  if (value === NO_VALUE) return { operation: 'delete', row };
  return { operation: table.holds(node) ? 'modify' : 'insert', row };
}

function isPrefixed(update: RowUpdate): update is PrefixedUpdate {
  const { row } = update;
  return (row.table === 'slot' || row.table === 'slot_version') && row.byPrefix === true;
}
