// SPDX-License-Identifier: Apache-2.0
/**
 * The life of a packet in simple_switch: parser, ingress, traffic manager, egress, deparser, and the copies a program
 * asks for on the way.
 *
 * Source: behavioral-model targets/simple_switch/simple_switch.cpp. BMv2 queues between the stages; here every copy
 * runs to its end before the next one starts, in the order BMv2 would enqueue them.
 */

import { abandoned } from './abandon.ts';
import { frameBytesMax, slots } from './layout.ts';
import type { Memory } from './memory.ts';
import type { DropReason, EgressReason, Observer, PassReason } from './observer.ts';
import type { PipelineOptions, PipelineSink, Replica } from './pipeline.ts';
import type { FieldRef, Program, StandardMetadata } from './program.ts';
import type { Stages } from './stages.ts';

/** Passes one received packet may cause by resubmit, recirculate and clones of clones; BMv2 would go on for ever. */
export const passesMax = 64;

/** Bytes the headers of a packet may grow by. BMv2 has so much room in front of a packet, and writes beyond it. */
export const grownBytesMax = 512;

const instanceTypes = {
  normal: 0,
  ingressClone: 1,
  egressClone: 2,
  recirculated: 4,
  replica: 5,
  resubmitted: 6,
} as const;

const passReasons: ReadonlyMap<number, PassReason> = new Map([
  [instanceTypes.normal, 'received'],
  [instanceTypes.recirculated, 'recirculate'],
  [instanceTypes.resubmitted, 'resubmit'],
]);

/** A packet that enters the parser. */
interface Pass {
  frame: Uint8Array;
  port: number;
  timestamp: number;
  instanceType: number;
  /** Fields kept from the pass before: words to store. */
  kept: readonly { slot: number; word: number }[];
}

/** A copy made at the end of egress: its words and payload, waiting for its own egress. */
interface EgressCopy {
  words: Uint32Array;
  varbits: Uint8Array;
  payload: Uint8Array;
  replica: Replica;
}

export class PacketLife {
  private readonly program: Program;
  /** May be replaced between two packets. */
  stages: Stages;
  /** Likewise; undefined: nobody looks. */
  observer: Observer | undefined;
  private readonly memory: Memory;
  private readonly sink: PipelineSink;
  private readonly dropPort: number;
  private readonly priorityQueues: number;
  private readonly queueDepth: NonNullable<PipelineOptions['queueDepth']>;
  private readonly replicasOfGroup: ReadonlyMap<number, readonly Replica[]>;
  private readonly replicasOfSession: ReadonlyMap<number, readonly Replica[]>;
  private readonly at: StandardSlots;
  /** Work the packet in hand has caused. */
  private readonly passes: Pass[] = [];
  private readonly egressCopies: EgressCopy[] = [];

  constructor(
    program: Program,
    stages: Stages,
    memory: Memory,
    { sink, dropPort, priorityQueues = 1, queueDepth = nothingWaits }: PipelineOptions,
    replicasOfGroup: ReadonlyMap<number, readonly Replica[]>,
    replicasOfSession: ReadonlyMap<number, readonly Replica[]>,
  ) {
    this.program = program;
    this.stages = stages;
    this.memory = memory;
    this.sink = sink;
    this.dropPort = dropPort;
    this.priorityQueues = priorityQueues;
    this.queueDepth = queueDepth;
    this.replicasOfGroup = replicasOfGroup;
    this.replicasOfSession = replicasOfSession;
    this.at = standardSlots(program.standard);
  }

  process(port: number, frame: Uint8Array, nowMicros: number): void {
    if (this.isTooLong(frame)) return;
    this.memory.clock[0] = nowMicros;
    this.runPass(port, frame, nowMicros, instanceTypes.normal, []);
    if (this.passes.length > 0 || this.egressCopies.length > 0) this.runCaused();
  }

  private isTooLong(frame: Uint8Array): boolean {
    if (frame.length <= frameBytesMax) return false;
    this.diagnostic(`a frame of ${frame.length} bytes was dropped: the limit is ${frameBytesMax}`);
    this.dropped('frame-too-long');
    return true;
  }

  private runCaused(): void {
    for (let count = 1; this.passes.length > 0 || this.egressCopies.length > 0; count++) {
      if (count >= passesMax) {
        this.diagnostic(
          `a packet was cut off after ${passesMax} passes (resubmit, recirculate or clone loop)`,
        );
        this.dropped('passes');
        this.passes.length = 0;
        this.egressCopies.length = 0;
        return;
      }
      const copy = this.egressCopies.shift();
      if (copy) {
        this.runEgressCopy(copy);
      } else {
        const pass = this.passes.shift()!;
        this.runPass(pass.port, pass.frame, pass.timestamp, pass.instanceType, pass.kept);
      }
    }
  }

  /** Parser and ingress, then whatever the packet asked for. */
  private runPass(
    port: number,
    frame: Uint8Array,
    timestamp: number,
    instanceType: number,
    kept: Pass['kept'],
  ): void {
    const { at } = this;
    const { F } = this.memory;
    this.receive(frame);
    F[at.ingressPort] = port & at.ingressPortMask;
    F[at.instanceType] = instanceType;
    if (at.ingressTimestamp) this.store(at.ingressTimestamp, timestamp);
    for (const { slot, word } of kept) F[slot] = word;
    this.observer?.observe({ kind: 'pass', why: passReasons.get(instanceType)!, port, frame });
    if (!this.runIngress()) return;
    F[slots.exit] = 0;

    if (F[slots.cloneSession] !== 0) this.cloneFromIngress(frame);
    if (F[slots.digest] !== 0) this.sampleDigest();
    if (F[slots.resubmit] !== 0) {
      this.observer?.observe({ kind: 'again', why: 'resubmit' });
      const fields = this.keptFields(F[slots.resubmit]! - 1);
      this.passes.push({
        frame,
        port: 0,
        timestamp: 0,
        instanceType: instanceTypes.resubmitted,
        kept: fields,
      });
      return;
    }
    if (at.multicastGroup >= 0 && F[at.multicastGroup] !== 0) {
      this.multicast(F[at.multicastGroup]!);
      return;
    }
    const egressPort = F[at.egressSpec]!;
    if (egressPort === this.dropPort) {
      this.dropped('egress-spec');
      return;
    }
    F[at.instanceType] = instanceTypes.normal;
    this.runEgress(egressPort, 'unicast', 0);
  }

  /** @returns whether the packet goes on */
  private runIngress(): boolean {
    try {
      this.stages.parse();
      this.stages.verify();
      this.observer?.observe({ kind: 'control', control: 'ingress' });
      this.stages.ingress();
      return true;
    } catch (cause) {
      return this.gaveUp(cause);
    }
  }

  /** @returns false; whatever else was thrown goes on */
  private gaveUp(cause: unknown): false {
    if (cause !== abandoned) throw cause;
    this.dropped('abandoned');
    return false;
  }

  private diagnostic(what: string): void {
    this.observer?.observe({ kind: 'diagnostic', what });
    this.sink.diagnostic(what);
  }

  private dropped(why: DropReason, id?: number): void {
    this.observer?.observe({ kind: 'drop', why, id });
  }

  /** Fresh state with the frame in the packet buffer. */
  private receive(frame: Uint8Array): void {
    const { F, A, headroom } = this.memory;
    F.fill(0);
    A.set(frame, headroom);
    F[slots.end] = headroom + frame.length;
    F[slots.length] = frame.length;
    F[slots.receivedLength] = frame.length;
    F[this.at.packetLength] = frame.length & this.at.packetLengthMask;
  }

  private runEgress(port: number, why: EgressReason, instance: number): void {
    const { at } = this;
    const { F, A, clock } = this.memory;
    const now = clock[0]!;
    const queue = at.priority < 0 ? 0 : F[at.priority]!;
    if (queue >= this.priorityQueues) {
      this.diagnostic(
        `a packet of priority ${queue} was dropped: there are ${this.priorityQueues} priority queues`,
      );
      this.dropped('priority', queue);
      return;
    }
    if (at.queueing) this.storeQueueing(at.queueing, port, now, queue);
    if (at.egressTimestamp) this.store(at.egressTimestamp, now);
    F[at.egressPort] = port & at.egressPortMask;
    F[at.egressSpec] = (this.dropPort + 1) & at.egressSpecMask;
    F[at.packetLength] = F[slots.length]! & at.packetLengthMask;
    F[slots.cloneSession] = 0;
    this.observer?.observe({ kind: 'egress', why, port, instance });
    const start = this.runEgressStages();
    if (start < 0) return;
    let end = F[slots.end]!;
    if (end - start > F[slots.receivedLength]! + grownBytesMax) {
      this.diagnostic(
        `a packet was dropped: its headers grew by ${end - start - F[slots.receivedLength]!} bytes, and there is room for ${grownBytesMax}`,
      );
      this.dropped('grown');
      return;
    }
    if (F[slots.recirculate] !== 0) {
      const kept = this.keptFields(F[slots.recirculate]! - 1);
      const frame = A.slice(start, end);
      if (this.isTooLong(frame)) return;
      this.observer?.observe({ kind: 'again', why: 'recirculate' });
      this.passes.push({ frame, port: 0, timestamp: 0, instanceType: instanceTypes.recirculated, kept });
      return;
    }
    const limit = F[slots.truncate]!;
    const whole = end - start;
    if (limit !== 0 && whole > limit - 1) end = start + limit - 1;
    // Half the price of subarray, which asks for the class to make.
    const frame = new Uint8Array(A.buffer, start, end - start);
    this.observer?.observe({ kind: 'transmit', port, frame, whole });
    this.sink.transmit(port, frame);
  }

  /** Egress and what follows it. @returns where the packet now starts, -1 when it is gone */
  private runEgressStages(): number {
    const { F } = this.memory;
    try {
      this.stages.egress();
      F[slots.exit] = 0;
      if (F[slots.cloneSession] !== 0) this.cloneFromEgress();
      if (F[this.at.egressSpec] === this.dropPort) {
        this.dropped('egress');
        return -1;
      }
      this.observer?.observe({ kind: 'control', control: 'deparser' });
      this.stages.update();
      return this.stages.deparse();
    } catch (cause) {
      this.gaveUp(cause);
      return -1;
    }
  }

  /**
   * Packets wait behind the pipeline, and not in it: what is ahead of this one is known, but not how long it will wait,
   * nor what it will leave behind.
   */
  private storeQueueing(queueing: QueueingPlaces, port: number, now: number, queue: number): void {
    const { enqueueDepth, enqueueDepthMax, isDepthUsed } = queueing;
    this.store(queueing.enqueueTimestamp, now);
    this.store(enqueueDepth, isDepthUsed ? Math.min(this.queueDepth(port), enqueueDepthMax) : 0);
    this.store(queueing.dequeueDelta, 0);
    this.store(queueing.dequeueDepth, 0);
    if (queueing.queue) this.store(queueing.queue, queue);
  }

  private multicast(group: number): void {
    const { F, V } = this.memory;
    const replicas = this.replicasOfGroup.get(group);
    this.observer?.observe({ kind: 'copies', why: 'multicast', id: group, replicas });
    if (!replicas) return;
    // Copies forget what the original asked for, as in BMv2; in egress each may ask again.
    F[slots.truncate] = 0;
    F[this.at.instanceType] = instanceTypes.replica;
    const words = F.slice();
    const varbits = V.slice();
    // Egress changes headers only: the payload stays where it is.
    for (const replica of replicas) {
      F.set(words);
      V.set(varbits);
      this.storeRid(replica.instance);
      this.runEgress(replica.port, 'multicast', replica.instance);
    }
  }

  /** The clone leaves before the packet it was made from, whose state is put back afterwards. */
  private cloneFromIngress(frame: Uint8Array): void {
    const { F, A, V, headroom } = this.memory;
    const session = F[slots.cloneSession]! - 1;
    const replicas = this.replicasOfSession.get(session);
    this.observer?.observe({ kind: 'copies', why: 'ingress-clone', id: session, replicas });
    const kept = this.keptFields(F[slots.cloneFieldList]!);
    const original = F.slice();
    const originalVarbits = V.slice();
    for (const replica of replicas ?? []) {
      this.receive(frame);
      this.observer?.observe({ kind: 'pass', why: 'ingress-clone', port: 0, frame });
      if (!this.parseClone()) continue;
      this.clearMetadata();
      for (const { slot, word } of kept) F[slot] = word;
      F[this.at.instanceType] = instanceTypes.ingressClone;
      this.storeRid(replica.instance);
      this.runEgress(replica.port, 'ingress-clone', replica.instance);
    }
    F.set(original);
    V.set(originalVarbits);
    A.set(frame, headroom);
    F[slots.cloneSession] = 0;
    this.observer?.observe({ kind: 'copied' });
  }

  /** @returns whether the clone goes on */
  private parseClone(): boolean {
    try {
      this.stages.parse();
      this.stages.verify();
      return true;
    } catch (cause) {
      return this.gaveUp(cause);
    }
  }

  private cloneFromEgress(): void {
    const { F, A, V } = this.memory;
    const session = F[slots.cloneSession]! - 1;
    const replicas = this.replicasOfSession.get(session);
    this.observer?.observe({ kind: 'copies', why: 'egress-clone', id: session, replicas });
    F[slots.cloneSession] = 0;
    for (const replica of replicas ?? []) {
      this.egressCopies.push({
        words: this.egressCloneWords(),
        varbits: V.slice(),
        payload: A.slice(F[slots.payload]!, F[slots.end]!),
        replica,
      });
    }
  }

  /** The words as they are, metadata cleared but for the field list. */
  private egressCloneWords(): Uint32Array {
    const { F } = this.memory;
    const kept = this.keptFields(F[slots.cloneFieldList]!);
    const original = F.slice();
    this.clearMetadata();
    for (const { slot, word } of kept) F[slot] = word;
    for (const request of [slots.digest, slots.resubmit, slots.recirculate, slots.truncate]) F[request] = 0;
    const words = F.slice();
    F.set(original);
    return words;
  }

  private runEgressCopy(copy: EgressCopy): void {
    const { F, A, V } = this.memory;
    F.set(copy.words);
    V.set(copy.varbits);
    const payload = F[slots.payload]!;
    A.set(copy.payload, payload);
    F[slots.end] = payload + copy.payload.length;
    F[this.at.instanceType] = instanceTypes.egressClone;
    this.storeRid(copy.replica.instance);
    this.runEgress(copy.replica.port, 'egress-clone', copy.replica.instance);
  }

  private clearMetadata(): void {
    for (const { metadata, base, type } of this.program.headers) {
      if (metadata) this.memory.F.fill(0, base, base + type.stride);
    }
  }

  private keptFields(listId: number): Pass['kept'] {
    const { F } = this.memory;
    const list = this.program.fieldLists.find((candidate) => candidate.id === listId);
    return (list?.elements ?? []).flatMap((ref) =>
      Array.from({ length: ref.field.words }, (_, index) => ({
        slot: slotOf(ref) + index,
        word: F[slotOf(ref) + index]!,
      })),
    );
  }

  private sampleDigest(): void {
    const { F } = this.memory;
    const list = this.program.learnLists.find((candidate) => candidate.id === F[slots.digest])!;
    const values = list.elements.map((ref) => {
      let value = 0n;
      for (let index = ref.field.words - 1; index >= 0; index--) {
        value = (value << 32n) | BigInt(F[slotOf(ref) + index]!);
      }
      return value;
    });
    this.observer?.observe({ kind: 'digest', list, values });
    this.sink.digest({ list: list.id, values });
  }

  private storeRid(instance: number): void {
    if (this.at.egressRid) this.store(this.at.egressRid, instance);
  }

  /** Cut to the bits of the field. */
  private store({ slot, mask, highMask }: NumberPlace, value: number): void {
    const { F } = this.memory;
    F[slot] = value & mask;
    if (highMask !== 0) F[slot + 1] = (value / 0x1_0000_0000) & highMask;
  }
}

/** A field of at most 64 bits: its first word, and which bits of each word are its own. */
interface NumberPlace {
  slot: number;
  mask: number;
  highMask: number;
}

type QueueingPlaces = NonNullable<StandardSlots['queueing']>;

/** Where the fields of `standard_metadata` stand; undefined or -1 for one the program does not have. */
type StandardSlots = ReturnType<typeof standardSlots>;

function standardSlots(standard: StandardMetadata) {
  const maybe = (ref: FieldRef | undefined) => (ref ? slotOf(ref) : -1);
  const place = (ref: FieldRef | undefined) => ref && placeOf(ref);
  const { queueing } = standard;
  return {
    ingressPort: slotOf(standard.ingressPort),
    ingressPortMask: maskOf(standard.ingressPort),
    packetLength: slotOf(standard.packetLength),
    packetLengthMask: maskOf(standard.packetLength),
    instanceType: slotOf(standard.instanceType),
    egressSpec: slotOf(standard.egressSpec),
    egressSpecMask: maskOf(standard.egressSpec),
    egressPort: slotOf(standard.egressPort),
    egressPortMask: maskOf(standard.egressPort),
    ingressTimestamp: place(standard.ingressTimestamp),
    egressTimestamp: place(standard.egressTimestamp),
    queueing: queueing && {
      enqueueTimestamp: placeOf(queueing.enqueueTimestamp),
      enqueueDepth: placeOf(queueing.enqueueDepth),
      enqueueDepthMax: 2 ** Math.min(32, queueing.enqueueDepth.field.width) - 1,
      isDepthUsed: queueing.isDepthUsed,
      dequeueDelta: placeOf(queueing.dequeueDelta),
      dequeueDepth: placeOf(queueing.dequeueDepth),
      queue: place(queueing.queue),
    },
    priority: maybe(standard.priority),
    multicastGroup: maybe(standard.multicastGroup),
    egressRid: place(standard.egressRid),
  };
}

function nothingWaits(): number {
  return 0;
}

function placeOf(ref: FieldRef): NumberPlace {
  const { width } = ref.field;
  return { slot: slotOf(ref), mask: onesOf(Math.min(32, width)), highMask: onesOf(Math.max(0, width - 32)) };
}

function slotOf(ref: FieldRef): number {
  return ref.header.base + ref.field.slot;
}

function maskOf(ref: FieldRef): number {
  return onesOf(ref.field.width);
}

/** As a signed number: 32 ones are -1, which V8 keeps as a small integer. */
function onesOf(bits: number): number {
  return (2 ** bits - 1) | 0;
}
