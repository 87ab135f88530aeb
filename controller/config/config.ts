// SPDX-License-Identifier: Apache-2.0
/** A configuration that has been read and checked, and what it says when it says nothing. */
import type { Desired, MacAddress } from '../core/desired.ts';
import type { DigestRates } from '../core/options.ts';
import type { AnnounceConfig } from './announce.ts';
import type { VipHealth } from './health.ts';
import type { VipLifecycle } from './lifecycle.ts';
import type { HostPort } from './scalar.ts';
import type { VipLoad } from './weights.ts';

export interface SwitchConfig {
  /** The P4Runtime server of the switch. */
  address: HostPort;
  deviceId: bigint;
  /** Ports of the embedded switch and the network devices behind them. Other targets bring their own. */
  interfaces: readonly { port: number; device: string }[];
}

/** Where the book is kept (controller/book), and with etcd the configuration too. */
export type StoreConfig =
  /** `path` undefined: beside the configuration file. */
  | { kind: 'file'; path: string | undefined }
  | {
      kind: 'etcd';
      /** http://host:port */
      endpoints: readonly string[];
      /** Of all keys; ends with a slash. */
      prefix: string;
      /** A leader that dies without a word is followed by another so much later. */
      leaseMs: number;
    };

/** One switch of a group that holds the same rows. */
export interface SwitchTarget {
  name: string;
  /** Of its P4Runtime server. */
  address: HostPort;
  deviceId: bigint;
}

/** Paths of PEM files. */
export interface TlsFiles {
  certificate: string;
  key: string;
  /** Whoever shows a certificate of this authority may change state. */
  clientCa: string | undefined;
}

/** How long and how much; each is explained where the core uses it. */
export interface ControllerConfig {
  /** The admin API; loopback by default. */
  listen: HostPort;
  /** Has the token of who may change state in it. Undefined: the environment has, or one is made up. */
  tokenFile: string | undefined;
  /** Undefined: the admin API speaks plain HTTP. */
  tls: TlsFiles | undefined;
  store: StoreConfig;
  /** Undefined: the time of the start, or with etcd the leader's term. */
  electionId: bigint | undefined;
  rotationMs: number;
  quarantineMs: number;
  mergeMarginMs: number;
  staleDigestMs: number;
  closingTimeoutMs: number;
  maxPins: number;
  digestRates: DigestRates;
  /** Switches are read back so often; undefined: only when asked. */
  auditMs: number | undefined;
}

export interface Config {
  switch: SwitchConfig;
  /** At least one: the list of the file, or the one that `switch` names. */
  switches: readonly SwitchTarget[];
  controller: ControllerConfig;
  /** Undefined: nobody tells the routers of the vips but their own configuration. */
  announce: AnnounceConfig | undefined;
  desired: Desired;
  /** Of the vips whose backends are checked. */
  health: readonly VipHealth[];
  /** Of the vips whose weights follow load. */
  load: readonly VipLoad[];
  /** Of every vip: how its backends come and go. */
  lifecycle: readonly VipLifecycle[];
}

export const switchDefaults = {
  address: '127.0.0.1:9559',
  device_id: 1,
  interfaces: {},
} as const;

export const controllerDefaults = {
  listen: '127.0.0.1:9580',
  max_pins: 100_000,
  audit: '10m',
} as const;

export const digestRateDefaults = { flows: 10_000, neighbours: 1_000, answers: 1_000 } as const;

export const storeDefaults = { kind: 'file', prefix: '/evenkeel/', leaseMs: 5_000 } as const;

export const timerDefaults = {
  rotation: '20s',
  quarantine: '30s',
  merge_margin: '2s',
  stale_digest: '2s',
  closing_timeout: '60s',
} as const;

export const vipDefaults = {
  protocol: 'tcp',
  forwarding: 'nat',
  gue_port: 6080,
  affinity: 'none',
  hint: 'none',
  when_dead: 'reset',
  slots: 4096,
  table: 'maglev',
  session_timeout: '15m',
  placement: 'sticky',
} as const;

/** Unless a vip says otherwise, one with affinity takes its fragments, and one without loses them. */
export const fragmentsByAffinity = { none: 'drop', source: 'hash' } as const;

export const quicDefaults = { layout: 'quic-lb', config_id: 0 } as const;

export const interfaceDefaults = { mtu: 1500 } as const;

export const backendDefaults = { weight: 1, state: 'active' } as const;

/** What the P4 program (p4/core/types.p4) and its targets allow, and what keeps a mistake from becoming a memory hole. */
export const configLimits = {
  textBytes: 4 * 1024 * 1024,
  problems: 100,
  vips: 1024,
  slotsPerVip: 65_536,
  slotsInAll: 1_048_576,
  backendsInAll: 8_191,
  routes: 4_096 - 256,
  interfaces: 256,
  switches: 64,
  neighbours: 4_096,
  switchPort: 509,
  sessionTimeoutMs: { least: 1_000, most: 24 * 3_600_000 },
  timerMs: { least: 100, most: 3_600_000 },
  auditMs: { least: 1_000, most: 24 * 3_600_000 },
  /** etcd grants none below 2 s. */
  leaseMs: { least: 2_000, most: 3_600_000 },
  endpoints: 16,
  /** Every IPv4 host takes 576 octets, every IPv6 link 1280 (RFC 791, RFC 8200). */
  mtu: { least: 576, leastIpv6: 1_280, most: 65_535 },
  digestRate: { least: 1, most: 1_000_000 },
  pins: 131_072,
} as const;

/** The MAC address an interface has when the file gives none: locally administered, ends in its port. */
export function defaultMac(port: number): MacAddress {
  return 0x02_00_00_00_00_00 + port;
}
