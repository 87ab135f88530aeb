// SPDX-License-Identifier: Apache-2.0
/**
 * The state of record of one switch: its program, what the controller has written, and what it may read. The pipeline
 * is told only what has been checked here; a write is answered when the pipeline has it.
 *
 * A program that is saved is written and read like one in force, while the one in force goes on; so say the
 * specification and simple_switch_grpc both.
 *
 * Knows P4Runtime's messages, but neither gRPC nor who is primary: that is service.ts.
 */

import { create } from '@bufbuild/protobuf';
import type {
  DigestListAck,
  Entity,
  ForwardingPipelineConfig,
  PacketOut,
  StreamMessageResponse,
  Update,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  IdleTimeoutNotificationSchema,
  PacketInSchema,
  StreamMessageResponseSchema,
  TableEntrySchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { ProgramError } from '../engine/pipeline.ts';
import { Batch, type BatchKind } from './batch.ts';
import { bind } from './binding.ts';
import type { Binding } from './bound.ts';
import type { Clock } from './clock.ts';
import type { Rules } from './compat.ts';
import { deviceConfigText } from './device-config.ts';
import { DigestDesk } from './digest-desk.ts';
import type { CarryOver, HostListener, PipelineHost, PipelineOutput } from './host.ts';
import { freshlyLoaded, type Loaded, operationsOf } from './loaded.ts';
import { decodePacketIn, encodePacketOut } from './packet-header.ts';
import { checkProgramText } from './program-text.ts';
import { programTraps } from './program-traps.ts';
import { readEntity } from './read.ts';
import { reconcile } from './reconcile.ts';
import { Code, invalid, Refusal } from './refusal.ts';
import { StagedAccess } from './staged-access.ts';
import { TrapLog } from './trap-log.ts';
import type { TrapName } from './traps.ts';
import { writeUpdate } from './write.ts';
import { writeStatus } from './write-status.ts';

export interface DeviceOptions {
  clock: Clock;
  cpuPort: number | undefined;
  rules: Rules;
  /** Hands a message to the primary controllers. */
  send: (message: StreamMessageResponse) => void;
  /** One line for the operator. */
  log: (level: 'info' | 'warn' | 'error', line: string) => void;
}

/** Entities that take about the 4 MiB that gRPC clients take by default. */
const largeRead = 32_768;

/** Idle entries told in one message. */
const idleEntriesPerMessage = 4096;

export type UpdateResult = Refusal | undefined;

export class Device implements HostListener {
  readonly #options: DeviceOptions;
  readonly #digests: DigestDesk;
  #host: PipelineHost | undefined;
  #loaded: Loaded | undefined;
  /** Waits for its COMMIT; Read and Write mean it. */
  #saved: { loaded: Loaded; access: StagedAccess } | undefined;
  /** What the host would put in force now. */
  #staged: ForwardingPipelineConfig | undefined;
  /** Requests wait while a program is swapped. */
  #swap: Promise<unknown> | undefined;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.#digests = new DigestDesk({
      clock: options.clock,
      send: (value) => this.#send({ case: 'digest', value }),
    });
  }

  /** The host needs its listener first, so it comes after construction; before anything else. */
  attach(host: PipelineHost): void {
    this.#host = host;
  }

  get host(): PipelineHost {
    if (this.#host === undefined) throw new Error('a device is attached to its host before it is used');
    return this.#host;
  }

  /** @throws Refusal */
  async setConfig(action: ConfigAction, config: ForwardingPipelineConfig | undefined): Promise<void> {
    while (this.#swap !== undefined) await this.#swap.catch(() => {});
    const swap = this.#setConfig(action, config);
    this.#swap = swap;
    try {
      await swap;
    } finally {
      this.#swap = undefined;
    }
  }

  async #setConfig(action: ConfigAction, config: ForwardingPipelineConfig | undefined): Promise<void> {
    const { rules } = this.#options;
    switch (action) {
      case ConfigAction.VERIFY:
        if (rules.refuses('verify-bad-json')) await this.#stage(config);
        return;
      case ConfigAction.VERIFY_AND_SAVE: {
        this.#checkNothingSaved();
        const access = new StagedAccess();
        this.#saved = { loaded: await this.#load(config, access), access };
        this.#log('info', 'program saved; Read and Write mean it from now on');
        return;
      }
      case ConfigAction.VERIFY_AND_COMMIT:
        this.#checkNothingSaved();
        await this.#activate(await this.#load(config, this.host), undefined);
        return;
      case ConfigAction.COMMIT:
        if (config !== undefined)
          rules.allow('commit-with-config', 'COMMIT is for the config that was saved');
        await this.#commitSaved();
        return;
      case ConfigAction.RECONCILE_AND_COMMIT:
        this.#checkNothingSaved();
        await this.#reconcile(config);
        return;
      default:
        throw invalid('the request has no action');
    }
  }

  #checkNothingSaved(): void {
    if (this.#saved === undefined) return;
    const message = 'Error in first phase of device update: a program is saved, and can only be committed';
    this.#options.rules.allow('save-again', message);
    this.#saved = undefined;
  }

  async #load(config: ForwardingPipelineConfig | undefined, access: Loaded['access']): Promise<Loaded> {
    const { rules, log } = this.#options;
    const { binding, json } = await this.#stage(config);
    const traps = new TrapLog(rules, log);
    for (const { name, where } of [...binding.traps, ...programTraps(config!.p4info!, json)]) {
      traps.note(name, where, true);
    }
    return freshlyLoaded({ config: config!, binding, rules, traps, access }, (port) =>
      this.host.isPortUp(port),
    );
  }

  async #stage(config: ForwardingPipelineConfig | undefined): Promise<{ binding: Binding; json: string }> {
    const { rules } = this.#options;
    if (config?.p4info === undefined) throw rules.refusal('bad-p4info', 'the config has no P4Info');
    if (config.p4DeviceConfig.length === 0) {
      const message = 'the config has no p4_device_config; it must be the JSON written by p4c-bm2-ss';
      throw rules.refusal('no-device-config', message);
    }
    const json = deviceConfigText(config.p4DeviceConfig);
    if (json === undefined) {
      throw rules.refusal('bad-json', 'p4_device_config is not the JSON written by p4c-bm2-ss');
    }
    checkProgramText(json);
    const program = await this.host.stage(json).catch((cause: unknown) => {
      if (!(cause instanceof ProgramError)) throw cause;
      // v1model declares it, and no target has it.
      const isTrap = /"algo"\s*:\s*"random"/.test(json);
      throw rules.refusal('bad-json', isTrap ? `${cause.message}\n(trap hash-algorithm)` : cause.message);
    });
    this.#staged = config;
    const bound = bind(config.p4info, program);
    if ('problems' in bound) {
      const list = bound.problems.map((each) => `  - ${each}`).join('\n');
      throw rules.refusal('bad-p4info', `P4Info and JSON do not fit together:\n${list}`);
    }
    return { binding: bound.binding, json };
  }

  async #commitSaved(): Promise<void> {
    const { rules } = this.#options;
    if (this.#saved === undefined) {
      throw rules.refusal('commit-nothing', 'Error in second phase of device update: nothing is saved');
    }
    const { loaded, access } = this.#saved;
    // A VERIFY may have come in between.
    if (this.#staged !== loaded.config) await this.#stage(loaded.config);
    const operations = [...operationsOf(loaded), ...access.operations()];
    this.#saved = undefined;
    await this.#activate(loaded, { operations, counters: [], registers: [], directCounters: [] });
  }

  async #reconcile(config: ForwardingPipelineConfig | undefined): Promise<void> {
    const { rules } = this.#options;
    const before = this.#loaded;
    const after = await this.#load(config, this.host);
    if (before === undefined) {
      await this.#activate(after, undefined);
      return;
    }
    const { binding } = before;
    const isConst = [...binding.tables.values()].some(({ table }) => (table.entries ?? []).length > 0);
    if (isConst || binding.counters.size + binding.meters.size > 0) {
      rules.allow('reconcile-arrays', 'Error when reconciling config');
      after.traps.note('reconcile-arrays', 'RECONCILE_AND_COMMIT');
    }
    after.traps.note('reconcile-defaults', 'RECONCILE_AND_COMMIT');
    const keepsDefaults = rules.answer('reconcile-defaults') === 'both are kept';
    const reconciled = await reconcile(before, after, { keepsDefaults });
    if ('problems' in reconciled) {
      const list = reconciled.problems.map((each) => `  - ${each}`).join('\n');
      throw invalid(`the forwarding state cannot be kept:\n${list}`);
    }
    await this.#activate(after, reconciled.carry);
  }

  async #activate(loaded: Loaded, carry: CarryOver | undefined): Promise<void> {
    const generation = await this.host.commit(carry);
    this.#staged = undefined;
    for (const [id, queue] of this.#loaded?.digests ?? []) {
      if (loaded.digests.get(id) !== queue) queue.close();
    }
    loaded.generation = generation;
    loaded.access = this.host;
    loaded.batch = carry === undefined ? 0 : 1;
    this.#loaded = loaded;
    const { tables, digests } = loaded.binding;
    this.#log('info', `program loaded: ${tables.size} tables, ${digests.size} digests`);
  }

  /** @returns the config that Read and Write mean, exactly as it was pushed; undefined before the first */
  async config(): Promise<ForwardingPipelineConfig | undefined> {
    await this.#settled();
    return (this.#saved?.loaded ?? this.#loaded)?.config;
  }

  /**
   * Carries out the updates in order.
   *
   * @param kind  whether one that fails lets the others stand
   * @returns for each update the reason why it was refused, or undefined
   * @throws Refusal FAILED_PRECONDITION before there is a program
   */
  async write(updates: readonly Update[], kind: BatchKind = 'parts'): Promise<UpdateResult[]> {
    if (this.#swap !== undefined) await this.#settled();
    const loaded = this.#program();
    const batch = new Batch(loaded.batch + 1, kind);
    const results =
      kind === 'parts'
        ? updates.map((update) => this.#writeUpdate(loaded, update, batch))
        : this.#writeWhole(loaded, updates, batch);
    batch.settle();
    if (batch.operations.length > 0) {
      loaded.batch = batch.number;
      await loaded.access.apply(batch.operations);
    }
    return results;
  }

  /** The first failure ends it: nothing of the batch is then left. */
  #writeWhole(loaded: Loaded, updates: readonly Update[], batch: Batch): UpdateResult[] {
    loaded.traps.note('atomic-write', 'ROLLBACK_ON_ERROR or DATAPLANE_ATOMIC');
    for (const [index, update] of updates.entries()) {
      const failure = this.#writeUpdate(loaded, update, batch);
      if (failure === undefined) continue;
      batch.rollBack();
      const others = new Refusal(Code.ABORTED, `not done, because update ${index} of the batch failed`);
      return updates.map((_, other) => (other === index ? failure : others));
    }
    return updates.map(() => undefined);
  }

  #writeUpdate(loaded: Loaded, update: Update, batch: Batch): UpdateResult {
    try {
      writeUpdate(loaded, update, batch, this.#digests);
      return undefined;
    } catch (cause) {
      if (cause instanceof Refusal) return cause;
      // Other updates of the batch must still reach the pipeline, or the two sides would disagree from now on.
      this.#log('error', `a write failed by our own fault: ${(cause as Error).stack}`);
      return new Refusal(Code.INTERNAL, (cause as Error).message);
    }
  }

  /** A controller has stepped on a trap. */
  note(name: TrapName, where: string): void {
    (this.#saved?.loaded ?? this.#loaded)?.traps.note(name, where);
  }

  /** @throws Refusal FAILED_PRECONDITION before there is a program */
  async checkProgram(): Promise<void> {
    await this.#settled();
    this.#program();
  }

  /** @throws Refusal FAILED_PRECONDITION, or what the entities in error deserve, as a Refusal or a status */
  async *read(entities: readonly Entity[]): AsyncGenerator<Entity[]> {
    await this.#settled();
    const loaded = this.#program();
    const { rules } = this.#options;
    const endsAtError = rules.answer('read-error') === 'its own code';
    const inOnePiece = rules.answer('read-messages') === 'one message';
    const results: UpdateResult[] = [];
    const whole: Entity[] = [];
    let entityCount = 0;
    for (const entity of entities) {
      if (endsAtError && results.some((result) => result !== undefined)) break;
      try {
        for await (const piece of readEntity(loaded, entity)) {
          entityCount += piece.length;
          if (entityCount > largeRead)
            loaded.traps.note('large-read', `a Read of ${largeRead} entities and more`);
          if (inOnePiece) for (const each of piece) whole.push(each);
          else yield piece;
          await this.#settled();
          if (this.#program() !== loaded) {
            throw new Refusal(Code.ABORTED, 'the program was replaced meanwhile');
          }
        }
        results.push(undefined);
      } catch (cause) {
        if (!(cause instanceof Refusal)) throw cause;
        results.push(cause);
      }
    }
    // simple_switch_grpc too sends what it has before it tells the error.
    if (whole.length > 0) yield whole;
    const status = writeStatus(results);
    if (status === undefined) return;
    throw endsAtError ? results.at(-1) : status;
  }

  /** @throws Refusal */
  async packetOut({ metadata, payload }: PacketOut): Promise<void> {
    await this.#settled();
    const { cpuPort, rules } = this.#options;
    if (this.#loaded === undefined) this.#program();
    const { binding } = this.#loaded ?? this.#program();
    if (cpuPort === undefined) {
      throw new Refusal(Code.FAILED_PRECONDITION, 'this switch has no CPU port (--cpu-port)');
    }
    const frame = encodePacketOut(rules, binding.packetOut, metadata, payload);
    if (frame !== undefined) this.host.inject(cpuPort, frame);
  }

  acknowledge({ digestId, listId }: DigestListAck): void {
    this.#loaded?.digests.get(digestId)?.acknowledge(listId);
  }

  output({ generation, digests, packetIns, diagnostics, packetDump, lost }: PipelineOutput): void {
    for (const line of packetDump) this.#log('info', line);
    for (const diagnostic of diagnostics) this.#log('warn', `pipeline: ${diagnostic}`);
    if (lost > 0) {
      const what = 'digests, packets for the controller or lines about packets';
      this.#log('warn', `pipeline: ${lost} ${what} were dropped`);
    }
    const loaded = this.#loaded;
    if (loaded === undefined || loaded.generation !== generation) return;
    for (const { list, values } of digests) {
      const digest = loaded.binding.digestByList.get(list);
      // Without a DigestEntry nobody wants the samples.
      if (digest !== undefined) loaded.digests.get(digest.id)?.add(values);
    }
    for (const frame of packetIns) {
      const packet = decodePacketIn(loaded.binding.packetIn, frame);
      if (packet === undefined) {
        this.#log('warn', `a frame of ${frame.length} bytes on the CPU port has no packet_in header`);
      } else this.#send({ case: 'packet', value: create(PacketInSchema, packet) });
    }
  }

  idle(generation: number, entries: readonly (readonly [number, number])[], applied: number): void {
    const loaded = this.#loaded;
    if (loaded === undefined || loaded.generation !== generation) return;
    const tellsMetadata = loaded.rules.answer('idle-metadata') === 'with metadata';
    const due = loaded.idleWatch.sweep(loaded.tableByProgramId, entries, applied);
    const timestamp = BigInt(this.#options.clock.nowMicros()) * 1000n;
    for (let start = 0; start < due.length; start += idleEntriesPerMessage) {
      const tableEntry = due.slice(start, start + idleEntriesPerMessage).map(({ table, entry }) => {
        const { tableId, match, priority, controllerMetadata, metadata, idleTimeoutNs } =
          table.message(entry);
        return create(TableEntrySchema, {
          ...{ tableId, match, priority, controllerMetadata, idleTimeoutNs },
          ...(tellsMetadata && { metadata }),
        });
      });
      const value = create(IdleTimeoutNotificationSchema, { tableEntry, timestamp });
      this.#send({ case: 'idleTimeoutNotification', value });
    }
  }

  /** Groups whose members watch the port get others to choose from. */
  portChanged(port: number): void {
    if (this.#swap !== undefined) {
      // Whichever program is in force afterwards must know.
      void this.#settled().then(() => this.portChanged(port));
      return;
    }
    const loaded = this.#loaded;
    if (loaded === undefined) return;
    const batch = new Batch(loaded.batch + 1, 'parts');
    for (const profile of loaded.profiles.values()) profile.portChanged(port, batch);
    if (batch.operations.length === 0) return;
    this.#log('info', `port ${port} has gone ${this.host.isPortUp(port) ? 'up' : 'down'}: groups follow`);
    loaded.batch = batch.number;
    // A pipeline that is gone is reported by the host itself.
    this.host.apply(batch.operations).catch(() => {});
  }

  failed(cause: Error): void {
    this.#log('error', `the pipeline has stopped: ${cause.message}`);
  }

  #send(update: StreamMessageResponse['update']): void {
    this.#options.send(create(StreamMessageResponseSchema, { update }));
  }

  #log(level: 'info' | 'warn' | 'error', line: string): void {
    this.#options.log(level, line);
  }

  /** What Read and Write mean. */
  #program(): Loaded {
    const loaded = this.#saved?.loaded ?? this.#loaded;
    if (loaded === undefined) {
      throw new Refusal(Code.FAILED_PRECONDITION, 'No forwarding pipeline config set for this device');
    }
    return loaded;
  }

  async #settled(): Promise<void> {
    while (this.#swap !== undefined) await this.#swap.catch(() => {});
  }
}
