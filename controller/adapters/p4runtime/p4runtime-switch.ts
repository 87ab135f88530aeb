// SPDX-License-Identifier: Apache-2.0
/**
 * A switch behind P4Runtime: embedded, simple_switch_grpc or any other that runs our program.
 *
 *   primary ──> program (pushed only when another runs) ──> digests on ──> tables read ──> 'connected'
 *   lost ──> 'disconnected'; the client reconnects, and all of it starts over
 */
import { P4RuntimeClient, type UpdateResult } from '../../../p4runtime/client.ts';
import { enableDigest } from '../../../p4runtime/digests.ts';
import {
  type DigestList,
  type TableEntry,
  Update_Type,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex, parseP4Info } from '../../../p4runtime/p4info.ts';
import { P4RuntimeError } from '../../../p4runtime/p4runtime-error.ts';
import { TypedEntries } from '../../../p4runtime/typed-entries.ts';
import { Writer, type WriterOptions } from '../../../p4runtime/writer.ts';
import type { WriteFailure, WriteFailureCode } from '../../core/event.ts';
import type { DigestRates } from '../../core/options.ts';
import type { RowUpdate, SwitchRow } from '../../core/row.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type {
  Solicitation,
  SwitchConnection,
  SwitchEvent,
  SwitchPort,
  SwitchStatus,
  Traffic,
} from '../../ports/switch.ts';
import { digestEvents, digestNames } from './digest-events.ts';
import { type Program as ProgramTypes, programSchema } from './generated/evenkeel.ts';
import { rateUpdates } from './rate-limits.ts';
import { RowCodec } from './row-codec.ts';
import { solicitationFrame } from './solicitation.ts';
import { trafficOf, trafficPatterns } from './traffic.ts';

export interface Program {
  /** Content of evenkeel.p4info.txtpb. */
  p4info: Uint8Array;
  /** For BMv2 and the embedded switch: evenkeel.json. */
  deviceConfig: Uint8Array;
}

export interface P4RuntimeSwitchOptions extends P4RuntimeSwitchTuning {
  /** host:port */
  address: string;
  deviceId: bigint;
  /** The controller with the highest is primary. */
  electionId: bigint;
  /** Whether we are primary when nobody else is, with a higher id if need be. */
  takesOver?: boolean;
  program: Program;
  clock: Clock;
  log: Log;
}

export interface P4RuntimeSwitchTuning {
  /** Between two readings of the decisions: how fast filters fill must be known soon. */
  pollMs: number;
  /** Every so many readings, the counters of vips and backends are read too. */
  pollsPerTraffic: number;
  /** After a preparation that failed, doubling up to retryMaxMs. */
  retryMs: number;
  retryMaxMs: number;
  writer: WriterOptions;
}

export const p4RuntimeSwitchDefaults: Readonly<P4RuntimeSwitchTuning> = {
  pollMs: 200,
  pollsPerTraffic: 5,
  retryMs: 500,
  retryMaxMs: 10_000,
  // Batches of 100 to 1000 with one or two in flight are what simple_switch_grpc is fastest with.
  writer: { batchSize: 256, rpcsInFlight: 2, updatesMax: 16_384 },
};

export class P4RuntimeSwitch implements SwitchPort<SwitchRow> {
  private readonly options: P4RuntimeSwitchOptions;
  private readonly client: P4RuntimeClient;
  private readonly index: P4InfoIndex;
  private readonly entries: TypedEntries<ProgramTypes>;
  private readonly rows: RowCodec;
  private listener: (event: SwitchEvent<SwitchRow>) => void = () => {};
  private connection: SwitchConnection = 'connecting';
  private problem: string | undefined;
  private readonly notices = { received: 0, unreadable: 0 };
  private traffic: Traffic | undefined;
  private trafficAt = 0;
  /** Updates sent, by table. */
  private readonly written: Record<string, number> = {};
  private polls = 0;
  /** Ids whose counters are read. */
  private readonly pools = new Set<number>();
  private readonly backends = new Set<number>();
  /** Counts mastership spells: what was begun in an earlier one is over. */
  private spell = 0;
  /** Another controller was seen to be primary since 'connected' was told last. */
  private wasDeposed = false;
  private writer: Writer | undefined;
  /** Writes are taken on one after the other, also when one of them has to wait for room. */
  private takingOn: Promise<void> = Promise.resolve();
  private cancelTimer = () => {};
  private rates: DigestRates | undefined;
  /** Flow digests that the meter held back, as last read. */
  private flowsLimited: number | undefined;

  /** @throws P4RuntimeError when the program's P4Info cannot be read, or is not that of p4/core */
  constructor(
    options: Partial<P4RuntimeSwitchTuning> & Omit<P4RuntimeSwitchOptions, keyof P4RuntimeSwitchTuning>,
  ) {
    this.options = { ...p4RuntimeSwitchDefaults, ...options };
    const { address, deviceId, electionId, takesOver = true, program } = options;
    this.index = new P4InfoIndex(parseP4Info(program.p4info, 'evenkeel.p4info.txtpb'));
    this.entries = new TypedEntries(this.index, programSchema);
    this.rows = new RowCodec(this.entries);
    this.client = new P4RuntimeClient({ address, deviceId, electionId, takesOver });
  }

  start(listener: (event: SwitchEvent<SwitchRow>) => void): void {
    this.listener = listener;
    this.client.onEvent((event) => {
      switch (event.kind) {
        case 'mastership':
          this.elected(event.isPrimary, event.primaryElectionId);
          break;
        case 'disconnected':
          this.lose('connecting', event.error.message);
          break;
        case 'digest':
          this.receiveDigest(event.list);
          break;
        case 'idle-timeout':
          for (const entry of event.notification.tableEntry) this.receiveIdle(entry);
          break;
        case 'stream-error':
          this.report(`the switch refused a packet or an acknowledgement: ${event.error.message}`);
          break;
        case 'packet-in':
          // The program sends none.
          this.notices.unreadable++;
      }
    });
    this.client.connect();
  }

  write(write: number, updates: readonly RowUpdate<SwitchRow>[]): void {
    const { writer, spell } = this;
    if (writer === undefined) return;
    for (const { row } of updates) this.written[row.table] = (this.written[row.table] ?? 0) + 1;
    const failures: WriteFailure[] = [];
    let open = updates.length;
    const done = (): void => {
      if (this.spell === spell) this.listener({ kind: 'written', write, failures });
    };
    if (open === 0) {
      queueMicrotask(done);
      return;
    }
    const onResult = (result: UpdateResult, index: number): void => {
      if (!result.ok)
        failures.push({ index, code: failureCode(result, updates[index]!), message: result.message });
      else this.follow(updates[index]!);
      if (--open === 0) done();
    };
    const encoded = updates.map((update) => this.rows.encode(update));
    this.takingOn = this.takingOn
      .then(() => writer.submit(encoded, onResult))
      // Only a closed writer refuses; then nobody waits for the answer any more.
      .catch(() => {});
  }

  solicit(solicitation: Solicitation): void {
    if (!this.client.isPrimary) return;
    const metadata = this.entries.packetOut({ egress_port: solicitation.port, padding: 0 });
    this.client.sendPacket(solicitationFrame(solicitation), metadata);
  }

  /** A table at a time: what is to be written comes in between. */
  async readBack(): Promise<readonly SwitchRow[]> {
    if (this.connection !== 'ready') throw new Error(`the switch is not ready (${this.connection})`);
    const { spell } = this;
    const rows: SwitchRow[] = [];
    for (const pattern of this.rows.everything()) {
      for await (const { entity } of this.client.read([pattern])) {
        const row = entity.case === 'tableEntry' ? this.rows.decode(entity.value) : undefined;
        if (row !== undefined) rows.push(row);
      }
    }
    if (this.spell !== spell) throw new Error('the switch was lost while it was read');
    return rows;
  }

  limit(rates: DigestRates): void {
    this.rates = rates;
    if (this.connection === 'ready') void this.writeRates(this.spell);
  }

  status(): SwitchStatus {
    return {
      target: this.options.address,
      connection: this.connection,
      problem: this.problem,
      notices: { ...this.notices },
      traffic: this.traffic,
      trafficAgeMs: this.traffic && Math.round(this.options.clock.now() - this.trafficAt),
      written: { ...this.written },
    };
  }

  async close(): Promise<void> {
    this.listener = () => {};
    this.lose('closed', undefined);
    this.client.close();
  }

  private elected(isPrimary: boolean, primaryElectionId: bigint): void {
    // Told again because another controller came or went.
    if (isPrimary && (this.connection === 'preparing' || this.connection === 'ready')) return;
    if (!isPrimary) {
      this.wasDeposed = true;
      this.lose('standby', `another controller (election id ${primaryElectionId}) is primary`);
      return;
    }
    this.lose('preparing', undefined);
    this.prepare(this.spell, this.options.retryMs);
  }

  private prepare(spell: number, retryMs: number): void {
    const { clock, log } = this.options;
    const startedAt = clock.now();
    this.readEverything().then(
      ({ rows, program }) => {
        if (this.spell !== spell) return;
        this.connection = 'ready';
        this.problem = undefined;
        this.writer = new Writer((updates) => this.client.write(updates), this.options.writer);
        log('info', 'connected to the switch', {
          program,
          rows: rows.length,
          durationMs: clock.now() - startedAt,
        });
        const { wasDeposed } = this;
        this.wasDeposed = false;
        this.listener({ kind: 'connected', rows, wasDeposed });
        void this.writeRates(spell);
        this.poll(spell);
      },
      (error: unknown) => {
        if (this.spell !== spell) return;
        this.report(`the switch cannot be prepared: ${reasonOf(error)}`);
        const next = Math.min(2 * retryMs, this.options.retryMaxMs);
        this.cancelTimer = clock.after(retryMs, () => this.prepare(spell, next));
      },
    );
  }

  private async readEverything(): Promise<{ rows: SwitchRow[]; program: 'pushed' | 'unchanged' }> {
    const { p4info } = this.index;
    const { deviceConfig } = this.options.program;
    const program = await this.client.setPipeline({ p4info, deviceConfig });
    await this.configureDigests();
    const rows: SwitchRow[] = [];
    this.pools.clear();
    this.backends.clear();
    for await (const { entity } of this.client.read(this.rows.everything())) {
      const row = entity.case === 'tableEntry' ? this.rows.decode(entity.value) : undefined;
      if (row === undefined) continue;
      rows.push(row);
      this.follow({ operation: 'insert', row });
    }
    return { rows, program };
  }

  /** Before the tables are read, so that no digest is missing after 'connected'. */
  private async configureDigests(): Promise<void> {
    const inserts = digestNames.map((name) => enableDigest(this.index, name));
    const results = await this.client.write(inserts);
    if (results.every((result) => result.ok)) return;
    // Another controller was here; its settings need not be ours.
    const modifies = inserts.map((update) => ({ ...update, type: Update_Type.MODIFY }));
    for (const result of await this.client.write(modifies)) {
      if (!result.ok) throw new P4RuntimeError(result.code, { message: `digests: ${result.message}` });
    }
  }

  /** A switch without its limits is worth more than none: what is wrong is told, and tried again when we reconnect. */
  private async writeRates(spell: number): Promise<void> {
    if (this.rates === undefined) return;
    const results = await this.client.write(rateUpdates(this.index, this.rates)).catch((error: unknown) => {
      return [{ ok: false as const, message: reasonOf(error) }];
    });
    const failed = results.find((result) => !result.ok);
    if (failed && !failed.ok && this.spell === spell)
      this.options.log('warn', 'the switch takes no rates for digests', {
        switch: this.options.address,
        reason: failed.message,
      });
  }

  /** Ends the spell: whatever it still has under way is nobody's any more. */
  private lose(connection: SwitchConnection, problem: string | undefined): void {
    this.spell++;
    this.cancelTimer();
    this.writer?.close();
    this.writer = undefined;
    const wasReady = this.connection === 'ready';
    this.connection = connection;
    if (problem === undefined) this.problem = undefined;
    else this.report(problem);
    if (wasReady) this.listener({ kind: 'disconnected' });
  }

  /** For `status`, and once for the log however often it comes. */
  private report(problem: string): void {
    if (problem !== this.problem) this.options.log('warn', problem, { switch: this.options.address });
    this.problem = problem;
  }

  private receiveDigest(list: DigestList): void {
    this.client.ack(list);
    const events = this.readable(() => digestEvents(this.entries.decodeDigest(list)));
    for (const event of events ?? list.data.map(() => undefined)) this.receiveNotice(event);
  }

  private receiveIdle(entry: TableEntry): void {
    const key = this.readable(() => this.rows.decodePinKey(entry));
    this.receiveNotice(key && { kind: 'pin-idle', ...key });
  }

  /** What a switch sends unasked must not stop us; it may be of a program that is just being replaced. */
  private readable<T>(decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof P4RuntimeError)) throw error;
      this.report(`a notice of the switch cannot be read: ${error.message}`);
      return undefined;
    }
  }

  private receiveNotice(event: SwitchEvent | undefined): void {
    this.notices.received++;
    if (event === undefined) this.notices.unreadable++;
    else if (this.connection === 'ready') this.listener(event);
  }

  /** Which counters are worth reading. */
  private follow({ operation, row }: RowUpdate<SwitchRow>): void {
    if (row.table === 'backend') {
      if (operation === 'delete') this.backends.delete(row.backend);
      else this.backends.add(row.backend);
    }
    // A deleted vip row need not say its pool; one cell too many does not matter.
    if (row.table === 'vip' && operation !== 'delete') this.pools.add(row.pool);
  }

  private poll(spell: number): void {
    const isWhole = this.polls++ % this.options.pollsPerTraffic === 0;
    this.readTraffic(isWhole).then(
      (traffic) => {
        if (this.spell !== spell) return;
        const { pools, backends } = isWhole ? traffic : (this.traffic ?? traffic);
        this.traffic = { ...traffic, pools, backends };
        if (isWhole) this.trafficAt = this.options.clock.now();
        this.problem = undefined;
        const admitted = traffic.decisions.new;
        if (admitted !== undefined) this.listener({ kind: 'admitted', flows: admitted.packets });
        this.noteLimited(traffic.limited.flows?.packets ?? 0);
        this.pollLater(spell);
      },
      (error: unknown) => {
        if (this.spell !== spell) return;
        this.report(`the counters cannot be read: ${reasonOf(error)}`);
        this.pollLater(spell);
      },
    );
  }

  /** Flows that asked for pins in vain: some may not speak again before they are forgotten. */
  private noteLimited(flows: number): void {
    const before = this.flowsLimited;
    this.flowsLimited = flows;
    if (before !== undefined && flows > before) this.listener({ kind: 'gap' });
  }

  private pollLater(spell: number): void {
    this.cancelTimer = this.options.clock.after(this.options.pollMs, () => this.poll(spell));
  }

  /** @param isWhole  also the counters of vips and backends */
  private async readTraffic(isWhole: boolean): Promise<Traffic> {
    const patterns = trafficPatterns(this.index, isWhole ? this.pools : [], isWhole ? this.backends : []);
    const entities = [];
    for await (const entity of this.client.read(patterns)) entities.push(entity);
    return trafficOf(this.index, entities);
  }
}

function failureCode(
  result: UpdateResult & { ok: false },
  { operation }: RowUpdate<SwitchRow>,
): WriteFailureCode {
  switch (result.code) {
    case 'already-exists':
      return 'exists';
    case 'not-found':
      return 'missing';
    case 'full':
      return 'full';
    case 'unavailable':
    case 'timeout':
    case 'closed':
    case 'not-primary':
      return 'unavailable';
    default:
      // simple_switch_grpc has no other word for a full table.
      return operation === 'insert' && /adding match entry/i.test(result.message) ? 'full' : 'rejected';
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
