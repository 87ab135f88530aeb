// SPDX-License-Identifier: Apache-2.0
/**
 * The shape of the configuration file: which keys there are, what each may hold, and what it is when absent.
 * How the parts must fit together is in consistency.ts.
 */
import { z } from 'zod';
import { announceSchema } from './announce.ts';
import {
  backendDefaults,
  configLimits,
  controllerDefaults,
  digestRateDefaults,
  interfaceDefaults,
  quicDefaults,
  storeDefaults,
  switchDefaults,
  timerDefaults,
  vipDefaults,
} from './config.ts';
import { duration, integer, oneOf, parsePath, scalar } from './field.ts';
import { controllerHealthSchema, vipHealthSchema } from './health.ts';
import {
  formatHostPort,
  type Parsed,
  parseAddress,
  parseHostPort,
  parseMac,
  parseNetwork,
  parseServerId,
  show,
} from './scalar.ts';
import { vipLoadSchema } from './weights.ts';

/** Names are typed on command lines and read in logs. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const backendSchema = z.strictObject({
  name: scalar(parseName),
  address: scalar(parseAddress),
  port: scalar(integer(1, 65_535)).optional(),
  server_id: scalar(parseServerId).optional(),
  weight: scalar(integer(0, 65_535)).default(backendDefaults.weight),
  state: scalar(oneOf('active', 'draining', 'down')).default(backendDefaults.state),
});

const quicSchema = z.strictObject({
  layout: scalar(oneOf('quic-lb', 'katran-v1', 'katran-v2', 'katran-v3')).default(quicDefaults.layout),
  config_id: scalar(integer(0, 6)).optional(),
});

const vipSchema = z.strictObject({
  name: scalar(parseName),
  address: scalar(parseAddress),
  protocol: scalar(oneOf('tcp', 'udp')).default(vipDefaults.protocol),
  port: scalar(integer(1, 65_535)),
  forwarding: scalar(oneOf('nat', 'l2_dsr', 'ipip', 'gre', 'gue')).default(vipDefaults.forwarding),
  gue_port: scalar(integer(1, 65_535)).optional(),
  affinity: scalar(oneOf('none', 'source')).default(vipDefaults.affinity),
  hint: scalar(oneOf('none', 'quic', 'tcp_option')).default(vipDefaults.hint),
  quic: quicSchema.optional(),
  fragments: scalar(oneOf('drop', 'hash')).optional(),
  when_dead: scalar(oneOf('drop', 'reset', 'unreachable')).default(vipDefaults.when_dead),
  slots: scalar(parseSlotCount).default(vipDefaults.slots),
  session_timeout: scalar(
    duration(configLimits.sessionTimeoutMs.least, configLimits.sessionTimeoutMs.most),
  ).prefault(vipDefaults.session_timeout),
  placement: scalar(oneOf('pure', 'sticky')).default(vipDefaults.placement),
  health: vipHealthSchema.optional(),
  load: vipLoadSchema.optional(),
  backends: z.array(backendSchema).default([]),
});

const timer = scalar(duration(configLimits.timerMs.least, configLimits.timerMs.most));
const timersSchema = z.strictObject({
  rotation: timer.prefault(timerDefaults.rotation),
  quarantine: timer.prefault(timerDefaults.quarantine),
  merge_margin: timer.prefault(timerDefaults.merge_margin),
  stale_digest: timer.prefault(timerDefaults.stale_digest),
  closing_timeout: timer.prefault(timerDefaults.closing_timeout),
});

const storeSchema = z.strictObject({
  kind: scalar(oneOf('file', 'etcd')).default(storeDefaults.kind),
  path: scalar(parsePath).optional(),
  endpoints: z.array(scalar(parseEndpointUrl)).optional(),
  prefix: scalar(parsePrefix).optional(),
  lease: scalar(duration(configLimits.leaseMs.least, configLimits.leaseMs.most)).optional(),
});

const rate = (each: number) =>
  scalar(integer(configLimits.digestRate.least, configLimits.digestRate.most)).default(each);
const digestRateSchema = z.strictObject({
  flows: rate(digestRateDefaults.flows),
  neighbours: rate(digestRateDefaults.neighbours),
  answers: rate(digestRateDefaults.answers),
});

const switchPort = scalar(integer(0, configLimits.switchPort));
const switchAddress = scalar(parseHostPort).prefault(switchDefaults.address);
const deviceId = scalar(integer(0, Number.MAX_SAFE_INTEGER)).default(switchDefaults.device_id);
const targetSchema = z.strictObject({
  name: scalar(parseName),
  address: scalar(parseHostPort),
  device_id: deviceId,
});

export const configSchema = z.strictObject({
  switch: z
    .strictObject({
      address: switchAddress,
      device_id: deviceId,
      interfaces: scalar(parseSwitchInterfaces).prefault(switchDefaults.interfaces),
    })
    .prefault({}),
  switches: z.array(targetSchema).optional(),
  controller: z
    .strictObject({
      listen: scalar(parseHostPort).prefault(controllerDefaults.listen),
      token_file: scalar(parsePath).optional(),
      tls: z
        .strictObject({
          certificate: scalar(parsePath),
          key: scalar(parsePath),
          client_ca: scalar(parsePath).optional(),
        })
        .optional(),
      max_pins: scalar(integer(0, configLimits.pins)).default(controllerDefaults.max_pins),
      digest_rate: digestRateSchema.prefault({}),
      timers: timersSchema.prefault({}),
      health: controllerHealthSchema.optional(),
      store: storeSchema.prefault({}),
      election_id: scalar(integer(1, Number.MAX_SAFE_INTEGER)).optional(),
    })
    .prefault({}),
  network: z.strictObject({
    interfaces: z.array(
      z.strictObject({
        port: switchPort,
        address: scalar(parseNetwork).optional(),
        ipv6_address: scalar(parseNetwork).optional(),
        mac: scalar(parseMac).optional(),
        mtu: scalar(integer(configLimits.mtu.least, configLimits.mtu.most)).default(interfaceDefaults.mtu),
      }),
    ),
    tunnel: z
      .strictObject({ ipv4: scalar(parseNetwork).optional(), ipv6: scalar(parseNetwork).optional() })
      .optional(),
    routes: z
      .array(z.strictObject({ prefix: scalar(parseNetwork), next_hop: scalar(parseAddress) }))
      .default([]),
    neighbours: z
      .array(z.strictObject({ address: scalar(parseAddress), mac: scalar(parseMac), port: switchPort }))
      .default([]),
  }),
  announce: announceSchema.optional(),
  vips: z.array(vipSchema),
});

export type ConfigShape = z.output<typeof configSchema>;
export type VipShape = ConfigShape['vips'][number];
export type BackendShape = VipShape['backends'][number];

/** Keys that the schema knows at a place of the file; [] when the place has none. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType = configSchema;
  for (const step of path) {
    const inner = unwrapped(schema);
    if (inner instanceof z.core.$ZodArray) schema = inner._zod.def.element;
    else if (inner instanceof z.core.$ZodObject && typeof step === 'string' && step in inner._zod.def.shape)
      schema = inner._zod.def.shape[step]!;
    else return [];
  }
  const inner = unwrapped(schema);
  return inner instanceof z.core.$ZodObject ? Object.keys(inner._zod.def.shape) : [];
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.core.$ZodDefault ||
    inner instanceof z.core.$ZodPrefault ||
    inner instanceof z.core.$ZodOptional
  )
    inner = inner._zod.def.innerType;
  return inner;
}

function parseName(input: unknown): Parsed<string> {
  const right =
    'letters, digits, dots, dashes and underscores, at most 63, starting with a letter or a digit';
  if (typeof input !== 'string')
    return { wrong: `${show(input)} is not a name`, right: `${right}; numbers in quotes` };
  return namePattern.test(input) ? { value: input } : { wrong: `'${input}' is not a name`, right };
}

/** 'http://10.0.0.5:2379', or without the scheme. */
function parseEndpointUrl(input: unknown): Parsed<string> {
  const right = 'HOST:PORT or http://HOST:PORT of an etcd';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not an endpoint`, right };
  const [, scheme = 'http', hostPort = ''] = /^(?:(https?):\/\/)?([^/]+)\/?$/.exec(input) ?? [];
  const parsed = parseHostPort(hostPort);
  return 'value' in parsed
    ? { value: `${scheme}://${formatHostPort(parsed.value)}` }
    : { wrong: `'${input}' is not an endpoint`, right };
}

/** '/evenkeel/'; the slash at the end may be left out. */
function parsePrefix(input: unknown): Parsed<string> {
  if (typeof input === 'string' && /^[\w./-]{0,99}\w\/?$/.test(input))
    return { value: input.endsWith('/') ? input : `${input}/` };
  return { wrong: `${show(input)} is not a prefix`, right: 'what keys begin with, such as /evenkeel/' };
}

function parseSlotCount(input: unknown): Parsed<number> {
  const right = `a power of two from 2 to ${configLimits.slotsPerVip}`;
  if (typeof input !== 'number' || !Number.isInteger(input))
    return { wrong: `${show(input)} is not a number of slots`, right };
  if (input >= 2 && input <= configLimits.slotsPerVip && (input & (input - 1)) === 0) return { value: input };
  const nearest = 2 ** Math.min(16, Math.max(1, Math.round(Math.log2(Math.max(input, 1)))));
  return {
    wrong: `${input} slots: the switch takes the low bits of a hash`,
    right: `${right}, such as ${nearest}`,
  };
}

/** `1: veth1` for each port, as `--interface 1@veth1` on the command line. */
function parseSwitchInterfaces(input: unknown): Parsed<{ port: number; device: string }[]> {
  const right = 'a mapping from port to network device, such as { 1: veth1, 2: veth2 }';
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return { wrong: `${show(input)} names no devices`, right };
  const interfaces: { port: number; device: string }[] = [];
  for (const [key, device] of Object.entries(input)) {
    const port = /^\d{1,3}$/.test(key) ? Number(key) : -1;
    if (port < 0 || port > configLimits.switchPort)
      return { wrong: `'${key}' is not a port`, right: `${right}; ports go to ${configLimits.switchPort}` };
    if (typeof device !== 'string' || !/^[^\s/@]{1,15}$/.test(device))
      return { wrong: `${show(device)} is not a network device`, right };
    interfaces.push({ port, device });
  }
  return { value: interfaces };
}
