// SPDX-License-Identifier: Apache-2.0
/**
 * A script: what a switch is told, step by step, and the transcript of what it did. Both are plain data and have a
 * JSON form, so that a difference can be kept in a file and replayed.
 */
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import type { PacketMetadata, Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { PacketMetadataSchema, UpdateSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';

export interface Script {
  /** One of `programNames`. */
  readonly program: string;
  readonly seed: number;
  readonly steps: readonly Step[];
}

export type Step =
  /** One Write. */
  | { readonly kind: 'write'; readonly updates: readonly Update[] }
  | { readonly kind: 'packets'; readonly packets: readonly Packet[] }
  /** Reads back all that can be read. */
  | { readonly kind: 'read' }
  | { readonly kind: 'port'; readonly port: number; readonly isUp: boolean };

export type Packet =
  | { readonly kind: 'frame'; readonly port: number; readonly frame: Uint8Array }
  | {
      readonly kind: 'packet-out';
      readonly payload: Uint8Array;
      readonly metadata: readonly PacketMetadata[];
    };

/** What a switch did in one step. */
export type StepResult =
  /** Canonical code of each update; 0 is OK. */
  | { readonly kind: 'write'; readonly codes: readonly number[] }
  | ({ readonly kind: 'packets' } & PacketResults)
  | { readonly kind: 'read'; readonly readings: readonly Reading[] }
  | { readonly kind: 'port' };

export interface PacketResults {
  /** One for each burst of packets that were in flight together. */
  readonly bursts: readonly BurstResult[];
}

export interface BurstResult {
  /** Packets it consisted of. */
  readonly count: number;
  /** `port:hex`, in the order in which they left; only the order on one port means something. */
  readonly frames: readonly string[];
  /** `metadata|payload`. */
  readonly packetIns: readonly string[];
  /** `digest:values`. */
  readonly digests: readonly string[];
}

/** What a switch did in every step of a script. */
export type Transcript = readonly StepResult[];

/** The answer to one Read. */
export interface Reading {
  /** What was read: `table talk`. */
  readonly what: string;
  /** Canonical code. */
  readonly code: number;
  /** Sorted. */
  readonly entities: readonly string[];
}

export function scriptToJson(script: Script): JsonValue {
  const { program, seed, steps } = script;
  return { program, seed, steps: steps.map(stepToJson) };
}

function stepToJson(step: Step): JsonValue {
  switch (step.kind) {
    case 'write':
      return { write: step.updates.map((update) => toJson(UpdateSchema, update)) };
    case 'packets':
      return { packets: step.packets.map(packetToJson) };
    case 'read':
      return 'read';
    case 'port':
      return { port: step.port, isUp: step.isUp };
  }
}

function packetToJson(packet: Packet): JsonValue {
  if (packet.kind === 'frame') return `${packet.port}:${hexOf(packet.frame)}`;
  const metadata = packet.metadata.map((each) => toJson(PacketMetadataSchema, each));
  return { payload: hexOf(packet.payload), metadata };
}

/** @throws Error when it is not what `scriptToJson` made */
export function scriptFromJson(json: JsonValue): Script {
  const { program, seed, steps } = json as { program: string; seed: number; steps: JsonValue[] };
  return { program, seed, steps: steps.map(stepFromJson) };
}

function stepFromJson(json: JsonValue): Step {
  if (json === 'read') return { kind: 'read' };
  const step = json as { write?: JsonValue[]; packets?: JsonValue[]; port?: number; isUp?: boolean };
  if (step.write) {
    return { kind: 'write', updates: step.write.map((each) => fromJson(UpdateSchema, each)) };
  }
  if (step.packets) return { kind: 'packets', packets: step.packets.map(packetFromJson) };
  if (step.port === undefined || step.isUp === undefined) {
    throw new Error(`no step of a script: ${JSON.stringify(json)}`);
  }
  return { kind: 'port', port: step.port, isUp: step.isUp };
}

function packetFromJson(json: JsonValue): Packet {
  if (typeof json === 'string') {
    const [port, hex] = json.split(':') as [string, string];
    return { kind: 'frame', port: Number(port), frame: bytesOf(hex) };
  }
  const { payload, metadata } = json as { payload: string; metadata: JsonValue[] };
  return {
    kind: 'packet-out',
    payload: bytesOf(payload),
    metadata: metadata.map((each) => fromJson(PacketMetadataSchema, each)),
  };
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** How much a script has of each. */
export function sizeOf({ steps }: Script): { updates: number; packets: number } {
  let updates = 0;
  let packets = 0;
  for (const step of steps) {
    if (step.kind === 'write') updates += step.updates.length;
    if (step.kind === 'packets') packets += step.packets.length;
  }
  return { updates, packets };
}
