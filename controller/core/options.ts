// SPDX-License-Identifier: Apache-2.0
/** The engine's numbers: how long it waits, how much it remembers, how much it does at once. */

export interface EngineOptions {
  /** Rewrites slot rows in place, without versions, pins or filters. It breaks connections; it is there to show that. */
  naive: boolean;
  /** While a slot is unstable and no filter slot rests, a fresh one is activated this often. */
  rotationMs: number;
  /**
   * ... or as soon as the active one has admitted so many flows. It then claims to know 1 in 4,400 of those it does not
   * (two rows of 65,536 cells); an idle old flow that is claimed may break.
   */
  fillLimit: number;
  /** A filter slot is kept so long after it was active: handshakes, SYN retransmissions included, end within it. */
  quarantineMs: number;
  /**
   * When the active filter slot is full and none is free, the oldest is reused after this already. Established
   * connections win over half-open ones: a handshake that takes longer than this may break in a flood, and only then.
   */
  floodQuarantineMs: number;
  /**
   * Members that a filter slot takes in, within a second, before all new flows go to base and changes wait (flood.ts). It
   * then claims to know 1 in 50 of those it does not.
   */
  floodLimit: number;
  /** A filter slot that has so many is emptied so long after: whoever has sent a SYN by then has had a round trip to answer. */
  saturatedRestMs: number;
  /** After a flood was seen last, changes wait so long. */
  floodHoldMs: number;
  /** A slot is merged so long after the session timeout: digests on their way arrive within it. */
  mergeMarginMs: number;
  /** A digest for a slot that became stable less than this ago is still believed. */
  staleDigestMs: number;
  /** Idle timeout of a pin whose flow has sent FIN or RST. */
  closingTimeoutMs: number;
  /**
   * A slot is unstable for so long at least before the commit that moves it: the first SYN retransmission (1 s, RFC 6298)
   * falls within it, so a handshake under way stays where its first SYN went.
   */
  tcpSettleMs: number;
  /** The same for UDP pools: an old flow that sends within it is kept; one that is silent for longer looks new. */
  udpSettleMs: number;
  /** The slots of a dead backend are held open for another that comes, this long; see seats.ts. 0: never. */
  seatHoldMs: number;
  /**
   * A backend that finds no seat waits so long for one, if a backend of its pool has died within as long before: where
   * they come and go, one dies soon, and its slots need not be remembered at all. No longer than a fifteenth of the pool's session timeout.
   * 0: it takes stable slots at once.
   */
  seatWaitMs: number;
  /** A backend that leaves more slots has no seat: they are stable on their heirs at once, with one write each. */
  maxSeatSlots: number;
  /** Seats held open in a pool. The oldest is closed when one more backend dies. */
  maxSeats: number;
  maxPins: number;
  /** Undefined: the switch is not told, and does as many as it can. */
  digestRates: DigestRates | undefined;
  /** After the switch's pin table was full, no pin is tried for so long. */
  pinFullBackoffMs: number;
  /** A pin that fails so often is given up, as if there were no room for it. */
  pinRetryLimit: number;
  /** After a digest was refused for want of room, changes that are not urgent wait so long. */
  refusalHoldMs: number;
  /** Slots merged in one step. */
  mergeBatch: number;
  /** Updates in one write. */
  writeBatch: number;
  maxUpdatesInFlight: number;
  /** A failed update is sent again after this, doubling up to retryMaxMs. */
  retryMs: number;
  retryMaxMs: number;
  /** A change one of whose rows fails so often is abandoned ... */
  prepareRetryLimit: number;
  /** ... and tried again after this. */
  changeRetryMs: number;
  /** A neighbour is asked again when nothing was heard of it for so long ... */
  neighbourReachableMs: number;
  /** ... and is lost when it leaves so many questions in a row unanswered. */
  neighbourProbes: number;
  /** A neighbour that does not answer is asked again after this, doubling up to solicitMaxMs. */
  solicitMs: number;
  solicitMaxMs: number;
  /** Solicitations in one step. */
  solicitBatch: number;
  maxNeighbours: number;
  /** Commits and problems remembered for `status`. */
  historyLimit: number;
}

/** How often the switch may do each of these, a second; what is beyond is not done, and counted. */
export interface DigestRates {
  /** Asking for a pin. */
  flows: number;
  /** Telling of a neighbour. */
  neighbours: number;
  /** Answering on its own: pings, ICMP errors, resets. ARP and NDP are not among it: nobody could reach the switch. */
  answers: number;
}

export const engineDefaults: Readonly<EngineOptions> = {
  naive: false,
  rotationMs: 20_000,
  fillLimit: 1_000,
  quarantineMs: 30_000,
  floodQuarantineMs: 1_000,
  floodLimit: 10_000,
  saturatedRestMs: 200,
  floodHoldMs: 60_000,
  mergeMarginMs: 2_000,
  staleDigestMs: 2_000,
  closingTimeoutMs: 60_000,
  tcpSettleMs: 1_200,
  udpSettleMs: 2_000,
  seatHoldMs: 300_000,
  seatWaitMs: 60_000,
  maxSeatSlots: 8_192,
  maxSeats: 8,
  maxPins: 100_000,
  digestRates: undefined,
  pinFullBackoffMs: 5_000,
  pinRetryLimit: 10,
  refusalHoldMs: 10_000,
  mergeBatch: 2_000,
  writeBatch: 500,
  maxUpdatesInFlight: 2_000,
  retryMs: 100,
  retryMaxMs: 10_000,
  prepareRetryLimit: 5,
  changeRetryMs: 5_000,
  neighbourReachableMs: 60_000,
  neighbourProbes: 4,
  solicitMs: 1_000,
  solicitMaxMs: 60_000,
  solicitBatch: 64,
  maxNeighbours: 4_096,
  historyLimit: 32,
};
