// SPDX-License-Identifier: Apache-2.0
/**
 * A host without a kernel: answers ARP, and speaks just enough TCP to be a fair witness where network namespaces are not
 * to be had. Handshake, ordered data, retransmission with back-off, an end from both sides, and a reset for whatever it
 * does not know. No windows and no congestion control: its peers never have more than a few messages under way.
 */

import { broadcastMac, formatIpv4 } from '../wire/address.ts';
import { arpOperations, decodeArp, encodeArp } from '../wire/arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from '../wire/ethernet.ts';
import { decodeIpv4, encodeIpv4, ipv4Defaults, protocols } from '../wire/ipv4.ts';
import { decodeTcp, encodeTcp, type TcpSegment, tcpDefaults, tcpFlags } from '../wire/tcp.ts';
import { WireError } from '../wire/wire-error.ts';
import { seededRandom } from './random.ts';
import type { Accept, Dial, Stream, StreamEnd, StreamHandlers } from './stream.ts';

export interface MemoryHostOptions {
  address: number;
  mac: number;
  gateway: number;
  /** Milliseconds; any origin. */
  now: () => number;
  /** The bytes are the receiver's. */
  send: (frame: Uint8Array) => void;
  /** Of initial sequence numbers. */
  seed: number;
}

const segmentBytesMax = 1_400;
const firstRetransmitMs = 300;
const retransmitMsMax = 30_000;
/** The last is given up 98 s after the first was sent: a busy machine may hold frames up for many seconds, and loses none by that. */
const transmissionsMax = 9;
const connectionsMax = 8_192;
const localPorts = { first: 10_000, last: 60_999 };
/** An ended connection answers a repeated FIN for so long. */
const lingerMs = 5_000;

interface Sent {
  sequence: number;
  flags: number;
  payload: Uint8Array;
  /** When it was sent for the first time. */
  sentAt: number;
  isRepeated: boolean;
}

/** How long answers take (RFC 6298). */
interface RoundTrip {
  smoothedMs: number;
  variationMs: number;
}

interface Connection {
  localPort: number;
  peerAddress: number;
  peerPort: number;
  state: 'syn-sent' | 'syn-received' | 'open';
  handlers: Omit<StreamHandlers, 'opened'> & Partial<Pick<StreamHandlers, 'opened'>>;
  nextSequence: number;
  /** The next byte expected from the peer. */
  expected: number;
  /** Sent and not acknowledged, oldest first. */
  unacknowledged: Sent[];
  retransmitAt: number;
  /** Until the next repetition. Grows with each, and stays so until an answer's time is known, or all would be repeated needlessly. */
  retransmitMs: number;
  /** Of the oldest that is unacknowledged. */
  transmissions: number;
  /** Undefined before the first answer to a segment that was sent once only: of others nobody knows which copy was answered. */
  roundTrip: RoundTrip | undefined;
  hasEnded: boolean;
  hasPeerEnded: boolean;
  isReported: boolean;
  /** When it may be forgotten; infinite while it lives. */
  goneAt: number;
}

export class MemoryHost {
  readonly #options: MemoryHostOptions;
  readonly #connections = new Map<string, Connection>();
  readonly #listeners = new Map<number, Accept>();
  readonly #random;
  #gatewayMac: number | undefined;
  #nextPort = localPorts.first;
  #identification = 0;

  constructor(options: MemoryHostOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#askForGateway();
  }

  dial(targetAddress: number, targetPort: number): Dial {
    return (handlers) => {
      const localPort = this.#nextPort;
      this.#nextPort = localPort === localPorts.last ? localPorts.first : localPort + 1;
      const connection = this.#create(localPort, targetAddress, targetPort, 'syn-sent', handlers);
      this.#transmit(connection, tcpFlags.syn, new Uint8Array(0));
      return this.#streamOf(connection);
    };
  }

  listen(port: number, accept: Accept): void {
    this.#listeners.set(port, accept);
  }

  /** As when the process behind the port is killed: its connections are reset, its port refuses. */
  unlisten(port: number): void {
    this.#listeners.delete(port);
    for (const connection of [...this.#connections.values()]) {
      if (connection.localPort === port) this.#abort(connection);
    }
  }

  /** Repeats what was not acknowledged in time, and forgets what is over. Call it every few milliseconds. */
  tick(): void {
    const now = this.#options.now();
    if (this.#gatewayMac === undefined) this.#askForGateway();
    for (const connection of [...this.#connections.values()]) {
      if (now >= connection.goneAt) this.#forget(connection);
      else if (connection.unacknowledged.length > 0 && now >= connection.retransmitAt)
        this.#retransmit(connection);
    }
  }

  /** A frame has arrived. What is damaged or not for us is dropped, as a network card does. */
  receive(frame: Uint8Array): void {
    try {
      const { targetMac, etherType, payload } = decodeEthernet(frame);
      if (targetMac !== this.#options.mac && targetMac !== broadcastMac) return;
      if (etherType === etherTypes.arp) this.#receiveArp(payload);
      if (etherType === etherTypes.ipv4) this.#receiveIpv4(payload);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }

  #receiveArp(payload: Uint8Array): void {
    const { address, mac, gateway } = this.#options;
    const packet = decodeArp(payload);
    if (packet.senderAddress === gateway) this.#gatewayMac = packet.senderMac;
    if (packet.operation !== arpOperations.request || packet.targetAddress !== address) return;
    const reply = encodeArp({
      operation: arpOperations.reply,
      senderMac: mac,
      senderAddress: address,
      targetMac: packet.senderMac,
      targetAddress: packet.senderAddress,
    });
    this.#sendFrame(packet.senderMac, etherTypes.arp, reply);
  }

  #askForGateway(): void {
    const { address, mac, gateway } = this.#options;
    const request = {
      operation: arpOperations.request,
      senderMac: mac,
      senderAddress: address,
      targetMac: 0,
    };
    this.#sendFrame(broadcastMac, etherTypes.arp, encodeArp({ ...request, targetAddress: gateway }));
  }

  #receiveIpv4(payload: Uint8Array): void {
    const packet = decodeIpv4(payload);
    if (packet.target !== this.#options.address || packet.protocol !== protocols.tcp) return;
    const segment = decodeTcp(packet.payload, packet);
    const connection = this.#connections.get(keyOf(segment.targetPort, packet.source, segment.sourcePort));
    if (connection !== undefined) this.#receiveSegment(connection, segment);
    else if ((segment.flags & (tcpFlags.syn | tcpFlags.ack | tcpFlags.rst)) === tcpFlags.syn) {
      this.#receiveSyn(packet.source, segment);
    } else this.#refuse(packet.source, segment);
  }

  #receiveSyn(peerAddress: number, segment: TcpSegment): void {
    const accept = this.#listeners.get(segment.targetPort);
    if (accept === undefined || this.#connections.size >= connectionsMax) {
      this.#refuse(peerAddress, segment);
      return;
    }
    const silent = { data() {}, closed() {} };
    const connection = this.#create(
      segment.targetPort,
      peerAddress,
      segment.sourcePort,
      'syn-received',
      silent,
    );
    connection.expected = (segment.sequence + 1) >>> 0;
    const peer = { address: formatIpv4(peerAddress), port: segment.sourcePort };
    connection.handlers = accept(this.#streamOf(connection), peer);
    this.#transmit(connection, tcpFlags.syn | tcpFlags.ack, new Uint8Array(0));
  }

  #receiveSegment(connection: Connection, segment: TcpSegment): void {
    const hasSyn = (segment.flags & tcpFlags.syn) !== 0;
    if ((segment.flags & tcpFlags.rst) !== 0) {
      this.#giveUp(connection, connection.state === 'syn-sent' ? 'refused' : 'reset');
      return;
    }
    if (connection.state === 'syn-sent') {
      if (segment.acknowledgement !== connection.nextSequence) this.#refuse(connection.peerAddress, segment);
      // Data that overtook the peer's SYN will be repeated.
      if (segment.acknowledgement !== connection.nextSequence || !hasSyn) return;
      connection.expected = (segment.sequence + 1) >>> 0;
    } else if (hasSyn) {
      // A copy. In syn-received our answer is repeated by the clock.
      if (connection.state === 'open') this.#acknowledge(connection);
      return;
    }
    this.#takeAcknowledgement(connection, segment);
    if (connection.state !== 'open' && connection.unacknowledged.length === 0) this.#open(connection);
    this.#takeData(connection, segment);
  }

  #open(connection: Connection): void {
    const isClient = connection.state === 'syn-sent';
    connection.state = 'open';
    if (!isClient) return;
    this.#acknowledge(connection);
    connection.handlers.opened?.();
  }

  #takeAcknowledgement(connection: Connection, { flags, acknowledgement }: TcpSegment): void {
    if ((flags & tcpFlags.ack) === 0) return;
    const answered = connection.unacknowledged.findLast((sent) =>
      isAtOrBefore((sent.sequence + lengthOf(sent)) >>> 0, acknowledgement),
    );
    if (answered === undefined) return;
    connection.unacknowledged.splice(0, connection.unacknowledged.indexOf(answered) + 1);
    const now = this.#options.now();
    if (!answered.isRepeated) {
      connection.roundTrip = smoothed(connection.roundTrip, now - answered.sentAt);
      connection.retransmitMs = patienceMs(connection.roundTrip);
    }
    connection.transmissions = 1;
    connection.retransmitAt = now + connection.retransmitMs;
    this.#lingerIfOver(connection);
  }

  /** Only what is next in order is taken; the sender repeats the rest. */
  #takeData(connection: Connection, segment: TcpSegment): void {
    const hasEnd = (segment.flags & tcpFlags.fin) !== 0;
    const length = segment.payload.length + (hasEnd ? 1 : 0);
    if (length === 0 || (segment.flags & tcpFlags.syn) !== 0) return;
    const isNext = segment.sequence === connection.expected && !connection.hasPeerEnded;
    if (isNext) connection.expected = (connection.expected + length) >>> 0;
    this.#acknowledge(connection);
    if (!isNext) return;
    if (segment.payload.length > 0 && !connection.isReported)
      connection.handlers.data(segment.payload.slice());
    if (!hasEnd) return;
    connection.hasPeerEnded = true;
    this.#report(connection, 'ended');
    this.#lingerIfOver(connection);
  }

  #streamOf(connection: Connection): Stream {
    return {
      localPort: connection.localPort,
      write: (bytes) => {
        if (connection.hasEnded || connection.goneAt !== Number.POSITIVE_INFINITY) return;
        for (let at = 0; at < bytes.length; at += segmentBytesMax) {
          const payload = bytes.slice(at, at + segmentBytesMax);
          this.#transmit(connection, tcpFlags.ack | tcpFlags.psh, payload);
        }
      },
      end: () => {
        if (connection.hasEnded || connection.goneAt !== Number.POSITIVE_INFINITY) return;
        connection.hasEnded = true;
        this.#transmit(connection, tcpFlags.ack | tcpFlags.fin, new Uint8Array(0));
      },
      destroy: () => {
        connection.isReported = true;
        if (this.#connections.get(keyOfConnection(connection)) === connection) this.#abort(connection);
      },
    };
  }

  #create(
    localPort: number,
    peerAddress: number,
    peerPort: number,
    state: Connection['state'],
    handlers: Connection['handlers'],
  ): Connection {
    const connection: Connection = {
      localPort,
      peerAddress,
      peerPort,
      state,
      handlers,
      nextSequence: this.#random.next(),
      expected: 0,
      unacknowledged: [],
      retransmitAt: 0,
      retransmitMs: firstRetransmitMs,
      transmissions: 1,
      roundTrip: undefined,
      hasEnded: false,
      hasPeerEnded: false,
      isReported: false,
      goneAt: Number.POSITIVE_INFINITY,
    };
    this.#connections.set(keyOfConnection(connection), connection);
    return connection;
  }

  #transmit(connection: Connection, flags: number, payload: Uint8Array): void {
    const now = this.#options.now();
    const sent = { sequence: connection.nextSequence, flags, payload, sentAt: now, isRepeated: false };
    if (connection.unacknowledged.length === 0) {
      connection.transmissions = 1;
      connection.retransmitAt = now + connection.retransmitMs;
    }
    connection.unacknowledged.push(sent);
    connection.nextSequence = (connection.nextSequence + lengthOf(sent)) >>> 0;
    this.#sendSegment(connection, flags, sent.sequence, payload);
  }

  #retransmit(connection: Connection): void {
    if (connection.transmissions >= transmissionsMax) {
      this.#giveUp(connection, 'failed');
      return;
    }
    connection.transmissions += 1;
    connection.retransmitMs = Math.min(connection.retransmitMs * 2, retransmitMsMax);
    connection.retransmitAt = this.#options.now() + connection.retransmitMs;
    for (const sent of connection.unacknowledged) {
      sent.isRepeated = true;
      this.#sendSegment(connection, sent.flags, sent.sequence, sent.payload);
    }
  }

  /** Forgotten first: what the handlers do in reply must not be sent. */
  #giveUp(connection: Connection, how: StreamEnd): void {
    this.#forget(connection);
    this.#report(connection, how);
  }

  #acknowledge(connection: Connection): void {
    this.#sendSegment(connection, tcpFlags.ack, connection.nextSequence, new Uint8Array(0));
  }

  #abort(connection: Connection): void {
    this.#sendSegment(connection, tcpFlags.rst | tcpFlags.ack, connection.nextSequence, new Uint8Array(0));
    this.#forget(connection);
  }

  /** RFC 9293, section 3.5.2: a segment for nobody is answered by a reset that its sender will believe. */
  #refuse(peerAddress: number, segment: TcpSegment): void {
    if ((segment.flags & tcpFlags.rst) !== 0) return;
    const hasAcknowledgement = (segment.flags & tcpFlags.ack) !== 0;
    const length = lengthOf(segment);
    this.#sendTcp(peerAddress, {
      ...tcpDefaults,
      sourcePort: segment.targetPort,
      targetPort: segment.sourcePort,
      sequence: hasAcknowledgement ? segment.acknowledgement : 0,
      acknowledgement: hasAcknowledgement ? 0 : (segment.sequence + length) >>> 0,
      flags: hasAcknowledgement ? tcpFlags.rst : tcpFlags.rst | tcpFlags.ack,
    });
  }

  #report(connection: Connection, how: StreamEnd): void {
    if (connection.isReported) return;
    connection.isReported = true;
    connection.handlers.closed(how);
  }

  #lingerIfOver(connection: Connection): void {
    if (connection.hasEnded && connection.hasPeerEnded && connection.unacknowledged.length === 0) {
      connection.goneAt = Math.min(connection.goneAt, this.#options.now() + lingerMs);
    }
  }

  #forget(connection: Connection): void {
    connection.goneAt = 0;
    this.#connections.delete(keyOfConnection(connection));
  }

  #sendSegment(connection: Connection, flags: number, sequence: number, payload: Uint8Array): void {
    this.#sendTcp(connection.peerAddress, {
      ...tcpDefaults,
      sourcePort: connection.localPort,
      targetPort: connection.peerPort,
      sequence,
      acknowledgement: (flags & tcpFlags.ack) === 0 ? 0 : connection.expected,
      flags,
      payload,
    });
  }

  #sendTcp(target: number, segment: TcpSegment): void {
    if (this.#gatewayMac === undefined) return;
    const source = this.#options.address;
    this.#identification = (this.#identification + 1) & 0xffff;
    const packet = encodeIpv4({
      ...ipv4Defaults,
      identification: this.#identification,
      protocol: protocols.tcp,
      source,
      target,
      payload: encodeTcp(segment, { source, target }),
    });
    this.#sendFrame(this.#gatewayMac, etherTypes.ipv4, packet);
  }

  #sendFrame(targetMac: number, etherType: number, payload: Uint8Array): void {
    this.#options.send(encodeEthernet({ targetMac, sourceMac: this.#options.mac, etherType, payload }));
  }
}

/** RFC 6298, section 2. */
function smoothed(before: RoundTrip | undefined, measuredMs: number): RoundTrip {
  if (before === undefined) return { smoothedMs: measuredMs, variationMs: measuredMs / 2 };
  const { smoothedMs, variationMs } = before;
  return {
    smoothedMs: (7 * smoothedMs + measuredMs) / 8,
    variationMs: (3 * variationMs + Math.abs(smoothedMs - measuredMs)) / 4,
  };
}

function patienceMs({ smoothedMs, variationMs }: RoundTrip): number {
  return Math.min(retransmitMsMax, Math.max(firstRetransmitMs, smoothedMs + 4 * variationMs));
}

function keyOf(localPort: number, peerAddress: number, peerPort: number): string {
  return `${localPort} ${peerAddress} ${peerPort}`;
}

function keyOfConnection({ localPort, peerAddress, peerPort }: Connection): string {
  return keyOf(localPort, peerAddress, peerPort);
}

/** How much of the sequence space a segment takes: SYN and FIN count as a byte each. */
function lengthOf({ flags, payload }: Pick<TcpSegment, 'flags' | 'payload'>): number {
  return payload.length + ((flags & tcpFlags.syn) !== 0 ? 1 : 0) + ((flags & tcpFlags.fin) !== 0 ? 1 : 0);
}

/** Sequence numbers are compared in a window of half their space. */
function isAtOrBefore(earlier: number, later: number): boolean {
  return ((later - earlier) | 0) >= 0;
}
