// SPDX-License-Identifier: Apache-2.0
/**
 * The state of record of one switch: its program, what the controller has written, and what it may read. The pipeline
 * is told only what has been checked here; a write is answered when the pipeline has it.
 *
 * Knows P4Runtime's messages, but neither gRPC nor who is primary: that is service.ts.
 */

import { create } from '@bufbuild/protobuf';
import type { P4Data } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import { P4DataSchema } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import type {
  DigestEntry,
  DigestListAck,
  Entity,
  ForwardingPipelineConfig,
  PacketOut,
  StreamMessageResponse,
  Update,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  DigestListSchema,
  IdleTimeoutNotificationSchema,
  PacketInSchema,
  StreamMessageResponseSchema,
  TableEntrySchema,
  Update_Type,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import { ProgramError } from '../engine/pipeline.ts';
import { type Binding, type BoundDigest, bind } from './binding.ts';
import type { Clock } from './clock.ts';
import { cellOf } from './counters.ts';
import { DigestQueue, type Sample } from './digest-queue.ts';
import type { HostListener, HostOperation, PipelineHost, PipelineOutput } from './host.ts';
import { freshlyLoaded, type Loaded, profileOf, tableOf } from './loaded.ts';
import { readKey } from './match-key.ts';
import { cellIndex, ratesOf } from './meters.ts';
import { decodePacketIn, encodePacketOut } from './packet-header.ts';
import { readEntity } from './read.ts';
import { Code, invalid, Refusal, unimplemented } from './refusal.ts';

export interface DeviceOptions {
  clock: Clock;
  cpuPort: number | undefined;
  /** Hands a message to the primary controllers. */
  send: (message: StreamMessageResponse) => void;
  /** One line for the operator. */
  log: (level: 'info' | 'warn' | 'error', line: string) => void;
}

/** Idle entries told in one message. */
const idleEntriesPerMessage = 4096;

export type UpdateResult = Refusal | undefined;

export class Device implements HostListener {
  readonly #options: DeviceOptions;
  #host: PipelineHost | undefined;
  #loaded: Loaded | undefined;
  #saved: ForwardingPipelineConfig | undefined;
  /** Requests wait while a program is swapped. */
  #swap: Promise<unknown> | undefined;

  constructor(options: DeviceOptions) {
    this.#options = options;
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
    switch (action) {
      case ConfigAction.VERIFY:
        await this.#stage(config);
        return;
      case ConfigAction.VERIFY_AND_SAVE:
        await this.#stage(config);
        this.#saved = config;
        return;
      case ConfigAction.VERIFY_AND_COMMIT:
        await this.#commit(config);
        return;
      case ConfigAction.COMMIT:
        if (this.#saved === undefined) throw new Refusal(Code.NOT_FOUND, 'no config has been saved');
        await this.#commit(this.#saved);
        return;
      case ConfigAction.RECONCILE_AND_COMMIT:
        throw unimplemented('RECONCILE_AND_COMMIT is not supported; use VERIFY_AND_COMMIT');
      default:
        throw invalid('the request has no action');
    }
  }

  async #stage(config: ForwardingPipelineConfig | undefined): Promise<Binding> {
    if (config?.p4info === undefined) throw invalid('the config has no P4Info');
    if (config.p4DeviceConfig.length === 0) {
      throw invalid('the config has no p4_device_config; it must be the JSON written by p4c-bm2-ss');
    }
    const json = new TextDecoder().decode(config.p4DeviceConfig);
    if (!/^\s*\{/.test(json)) throw invalid('p4_device_config is not the JSON written by p4c-bm2-ss');
    const program = await this.host.stage(json).catch((cause: unknown) => {
      throw cause instanceof ProgramError ? invalid(cause.message) : cause;
    });
    const bound = bind(config.p4info, program);
    if ('problems' in bound) {
      throw invalid(
        `P4Info and JSON do not fit together:\n${bound.problems.map((each) => `  - ${each}`).join('\n')}`,
      );
    }
    return bound.binding;
  }

  async #commit(config: ForwardingPipelineConfig | undefined): Promise<void> {
    const binding = await this.#stage(config);
    const generation = await this.host.commit();
    for (const queue of this.#loaded?.digests.values() ?? []) queue.close();
    this.#saved = undefined;
    this.#loaded = freshlyLoaded(config!, binding, generation, (port) => this.host.isPortUp(port));
    for (const warning of binding.warnings) this.#options.log('warn', warning);
    this.#options.log(
      'info',
      `program loaded: ${binding.tables.size} tables, ${binding.digests.size} digests`,
    );
  }

  /** @returns the config in force, exactly as it was pushed; undefined before the first */
  async config(): Promise<ForwardingPipelineConfig | undefined> {
    await this.#settled();
    return this.#loaded?.config;
  }

  /**
   * Carries out the updates in order; one that fails does not stop the others.
   *
   * @returns for each update the reason why it was refused, or undefined
   * @throws Refusal FAILED_PRECONDITION before there is a program
   */
  async write(updates: readonly Update[]): Promise<UpdateResult[]> {
    await this.#settled();
    const loaded = this.#program();
    const operations: HostOperation[] = [];
    const batch = loaded.batch + 1;
    const results = updates.map((update): UpdateResult => {
      try {
        this.#writeUpdate(loaded, update, batch, operations);
        return undefined;
      } catch (cause) {
        if (cause instanceof Refusal) return cause;
        // Other updates of the batch must still reach the pipeline, or the two sides would disagree from now on.
        this.#options.log('error', `a write failed by our own fault: ${(cause as Error).stack}`);
        return new Refusal(Code.INTERNAL, (cause as Error).message);
      }
    });
    if (operations.length > 0) {
      loaded.batch = batch;
      await this.host.apply(operations);
    }
    return results;
  }

  /** @throws Refusal FAILED_PRECONDITION before there is a program */
  async checkProgram(): Promise<void> {
    await this.#settled();
    this.#program();
  }

  /** @throws Refusal FAILED_PRECONDITION, or whatever the first bad entity deserves */
  async *read(entities: readonly Entity[]): AsyncGenerator<Entity[]> {
    await this.#settled();
    const loaded = this.#program();
    for (const entity of entities) {
      for await (const piece of readEntity(loaded, this.host, entity)) {
        yield piece;
        await this.#settled();
        if (this.#loaded !== loaded) throw new Refusal(Code.ABORTED, 'the program was replaced meanwhile');
      }
    }
  }

  /** @throws Refusal */
  async packetOut({ metadata, payload }: PacketOut): Promise<void> {
    await this.#settled();
    const { cpuPort } = this.#options;
    const { binding } = this.#program();
    if (cpuPort === undefined) {
      throw new Refusal(Code.FAILED_PRECONDITION, 'this switch has no CPU port (--cpu-port)');
    }
    this.host.inject(cpuPort, encodePacketOut(binding.packetOut, metadata, payload));
  }

  acknowledge({ digestId, listId }: DigestListAck): void {
    this.#loaded?.digests.get(digestId)?.acknowledge(listId);
  }

  output({ generation, digests, packetIns, diagnostics, lost }: PipelineOutput): void {
    for (const diagnostic of diagnostics) this.#options.log('warn', `pipeline: ${diagnostic}`);
    if (lost > 0) {
      this.#options.log('warn', `pipeline: ${lost} digests or packets for the controller were dropped`);
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
        this.#options.log('warn', `a frame of ${frame.length} bytes on the CPU port has no packet_in header`);
      } else this.#send({ case: 'packet', value: create(PacketInSchema, packet) });
    }
  }

  idle(generation: number, entries: readonly (readonly [number, number])[], applied: number): void {
    const loaded = this.#loaded;
    if (loaded === undefined || loaded.generation !== generation) return;
    const due = loaded.idleWatch.sweep(loaded.tableByProgramId, entries, applied);
    const timestamp = this.#nowNs();
    for (let start = 0; start < due.length; start += idleEntriesPerMessage) {
      const tableEntry = due.slice(start, start + idleEntriesPerMessage).map(({ table, entry }) => {
        const { tableId, match, priority, controllerMetadata, idleTimeoutNs } = table.message(entry);
        return create(TableEntrySchema, { tableId, match, priority, controllerMetadata, idleTimeoutNs });
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
    const operations: HostOperation[] = [];
    for (const profile of loaded.profiles.values()) profile.portChanged(port, operations);
    if (operations.length === 0) return;
    this.#options.log(
      'info',
      `port ${port} has gone ${this.host.isPortUp(port) ? 'up' : 'down'}: groups follow`,
    );
    loaded.batch += 1;
    // A pipeline that is gone is reported by the host itself.
    this.host.apply(operations).catch(() => {});
  }

  failed(cause: Error): void {
    this.#options.log('error', `the pipeline has stopped: ${cause.message}`);
  }

  #writeUpdate(loaded: Loaded, { type, entity }: Update, batch: number, operations: HostOperation[]): void {
    if (type === Update_Type.UNSPECIFIED) throw invalid('the update has no type');
    const { entity: given } = entity ?? { entity: { case: undefined } };
    switch (given.case) {
      case 'tableEntry':
        tableOf(loaded, given.value.tableId).write(type, given.value, batch, operations);
        break;
      case 'counterEntry':
        writeCounter(loaded, type, given.value, operations);
        break;
      case 'directCounterEntry':
        writeDirectCounter(loaded, type, given.value, operations);
        break;
      case 'digestEntry':
        this.#writeDigest(loaded, type, given.value);
        break;
      case 'packetReplicationEngineEntry':
        loaded.replication.write(type, given.value, operations);
        break;
      case 'meterEntry':
        writeMeter(loaded, type, given.value, operations);
        break;
      case 'directMeterEntry':
        writeDirectMeter(loaded, type, given.value, operations);
        break;
      case 'actionProfileMember':
        profileOf(loaded, given.value.actionProfileId).writeMember(type, given.value, operations);
        break;
      case 'actionProfileGroup':
        profileOf(loaded, given.value.actionProfileId).writeGroup(type, given.value, operations);
        break;
      case undefined:
        throw new Refusal(Code.UNKNOWN, 'Incorrect entity type');
      default:
        throw unimplemented(`this switch does not have ${given.case}`);
    }
  }

  #writeDigest({ binding, digests }: Loaded, type: Update_Type, { digestId, config }: DigestEntry): void {
    const digest = binding.digests.get(digestId);
    if (digest === undefined) throw new Refusal(Code.NOT_FOUND, `there is no digest ${digestId}`);
    const existing = digests.get(digestId);
    if (type === Update_Type.INSERT && existing !== undefined) {
      throw new Refusal(Code.ALREADY_EXISTS, `digest '${digest.name}' is configured already, use MODIFY`);
    }
    if (type !== Update_Type.INSERT && existing === undefined) {
      throw new Refusal(Code.NOT_FOUND, `digest '${digest.name}' is not configured`);
    }
    if (type === Update_Type.DELETE) {
      existing?.close();
      digests.delete(digestId);
      return;
    }
    const { maxTimeoutNs = 0n, maxListSize = 0, ackTimeoutNs = 0n } = config ?? {};
    if (maxTimeoutNs < 0n || maxListSize < 0 || ackTimeoutNs < 0n) {
      throw invalid('a digest config has no negative values');
    }
    const digestConfig = { maxTimeoutNs, maxListSize, ackTimeoutNs };
    if (DigestQueue.canStall(digestConfig)) {
      this.#options.log(
        'warn',
        `digest '${digest.name}': without max_timeout_ns >= 1 ms a list that is not full is never sent; ` +
          'set max_list_size to 1, or a timeout',
      );
    }
    existing?.close();
    const deliver = (listId: bigint, samples: readonly Sample[]) => {
      const data = samples.map((sample) => digestData(digest, sample));
      const value = create(DigestListSchema, { digestId, listId, data, timestamp: this.#nowNs() });
      this.#send({ case: 'digest', value });
    };
    digests.set(digestId, new DigestQueue(digestConfig, this.#options.clock, deliver));
  }

  #send(update: StreamMessageResponse['update']): void {
    this.#options.send(create(StreamMessageResponseSchema, { update }));
  }

  #nowNs(): bigint {
    return BigInt(this.#options.clock.nowMicros()) * 1000n;
  }

  #program(): Loaded {
    if (this.#loaded === undefined) {
      throw new Refusal(Code.FAILED_PRECONDITION, 'No forwarding pipeline config set for this device');
    }
    return this.#loaded;
  }

  async #settled(): Promise<void> {
    while (this.#swap !== undefined) await this.#swap.catch(() => {});
  }
}

function writeCounter(
  { binding }: Loaded,
  type: Update_Type,
  { counterId, index, data }: Extract<Entity['entity'], { case: 'counterEntry' }>['value'],
  operations: HostOperation[],
): void {
  const bound = binding.counters.get(counterId);
  if (bound === undefined) throw invalid(`Invalid P4 id: there is no counter ${counterId}`);
  if (type !== Update_Type.MODIFY) throw invalid('a counter is always there: it can only be modified');
  if (index === undefined) throw unimplemented('writing all cells of a counter at once');
  if (data === undefined) throw invalid('the counter entry has no data');
  const cell = cellOf(data);
  const cellIndex = Number(index.index);
  if (cellIndex < 0 || cellIndex >= bound.counter.size) {
    throw new Refusal(
      Code.UNKNOWN,
      `counter '${bound.name}' has ${bound.counter.size} cells, no cell ${cellIndex}`,
    );
  }
  operations.push({ kind: 'write-counter', counter: bound.counter.id, index: cellIndex, cell });
}

function writeDirectCounter(
  loaded: Loaded,
  type: Update_Type,
  { tableEntry, data }: Extract<Entity['entity'], { case: 'directCounterEntry' }>['value'],
  operations: HostOperation[],
): void {
  if (tableEntry === undefined) throw invalid('the direct counter entry has no table entry');
  const table = tableOf(loaded, tableEntry.tableId);
  const { bound } = table;
  if (type !== Update_Type.MODIFY) throw invalid('a counter is always there: it can only be modified');
  if (bound.counterUnit === undefined) throw invalid(`table '${bound.name}' has no direct counter`);
  if (tableEntry.isDefaultAction) {
    throw new Refusal(Code.UNKNOWN, 'a default action has no counter on this switch');
  }
  if (data === undefined) throw invalid('the direct counter entry has no data');
  const cell = cellOf(data);
  const key = readKey(bound, tableEntry.match, tableEntry.priority);
  const entry = table.find(key);
  if (entry === undefined) throw invalid(`Cannot find match entry in table '${bound.name}'`);
  operations.push({ kind: 'write-direct-counter', table: bound.table.id, handle: entry.handle, cell });
}

function writeMeter(
  { binding, meters }: Loaded,
  type: Update_Type,
  { meterId, index, config }: Extract<Entity['entity'], { case: 'meterEntry' }>['value'],
  operations: HostOperation[],
): void {
  const bound = binding.meters.get(meterId);
  if (bound === undefined) throw invalid(`Invalid P4 id: there is no meter ${meterId}`);
  if (index === undefined) throw unimplemented('writing all cells of a meter at once');
  if (type !== Update_Type.MODIFY) throw invalid('a meter is always there: it can only be modified');
  const rates = config && ratesOf(config);
  const cell = cellIndex(index.index, bound.meter.size, `meter '${bound.name}'`);
  if (config === undefined) meters.get(meterId)!.delete(cell);
  else meters.get(meterId)!.set(cell, config);
  operations.push({ kind: 'write-meter', meter: bound.meter.id, index: cell, rates });
}

function writeDirectMeter(
  loaded: Loaded,
  type: Update_Type,
  { tableEntry, config }: Extract<Entity['entity'], { case: 'directMeterEntry' }>['value'],
  operations: HostOperation[],
): void {
  if (tableEntry === undefined) throw invalid('the direct meter entry has no table entry');
  const table = tableOf(loaded, tableEntry.tableId);
  const { bound } = table;
  if (type !== Update_Type.MODIFY) throw invalid('a meter is always there: it can only be modified');
  if (!bound.hasMeter) throw invalid(`table '${bound.name}' has no direct meter`);
  if (tableEntry.isDefaultAction) {
    throw new Refusal(Code.UNKNOWN, 'a default action has no meter on this switch');
  }
  const entry = table.find(readKey(bound, tableEntry.match, tableEntry.priority));
  if (entry === undefined) throw invalid(`Cannot find match entry in table '${bound.name}'`);
  table.writeMeter(entry, config, operations);
}

function digestData({ shape, list }: BoundDigest, sample: Sample): P4Data {
  const members = sample.map((value, index) =>
    create(P4DataSchema, {
      data: { case: 'bitstring', value: encodeValue(value, list.elements[index]!.field.width) },
    }),
  );
  if (shape === 'bitstring') return members[0]!;
  return create(P4DataSchema, { data: { case: shape, value: { members } } });
}
