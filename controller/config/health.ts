// SPDX-License-Identifier: Apache-2.0
/**
 * Health checks in the configuration file: `controller.health` says how often and how strictly, for all vips; `health` of a vip what is
 * asked, and what it wants otherwise.
 *
 *   health: { check: http, path: /healthz, status: 200-299, interval: 500ms, floor: 30% }
 */
import { z } from 'zod';
import type { Check } from '../core/check.ts';
import { dampingDefaults } from '../core/flap-damping.ts';
import { type HealthOptions, healthDefaults } from '../core/health.ts';
import { duration, formed, integer, keysByTag, oneOf, percentage, scalar, text } from './field.ts';
import { formatDuration, type Parsed, show } from './scalar.ts';

export interface VipHealth {
  vip: string;
  check: Check;
  /** Where backends are asked; undefined: where they serve. */
  port: number | undefined;
  options: HealthOptions;
}

export const checkDefaults = { path: '/', status: '200-399', send: '', service: '', verify: true } as const;

export const healthLimits = {
  intervalMs: { least: 100, most: 3_600_000 },
  timeoutMs: { least: 10, most: 60_000 },
  deadAfterMs: { least: 0, most: 24 * 3_600_000 },
  halfLifeMs: { least: 1_000, most: 24 * 3_600_000 },
  answers: 100,
  penalty: 1_000_000,
  /** Of a datagram or a body that is looked for. */
  bytes: 1_024,
  arguments: 64,
} as const;

const checks = ['tcp', 'http', 'https', 'udp', 'grpc', 'command'] as const;

/** Keys of a check that mean nothing to the others. */
const keysOfChecks: Readonly<Record<(typeof checks)[number], readonly CheckKey[]>> = {
  tcp: [],
  http: ['path', 'host', 'status', 'body'],
  https: ['path', 'host', 'status', 'body', 'verify'],
  udp: ['send', 'expect'],
  grpc: ['service'],
  command: ['command'],
};
/** As the refinement below, for editors. */
const { allOf } = keysByTag('check', keysOfChecks) as { allOf: object[] };
const needsCommand = {
  if: { properties: { check: { const: 'command' } } },
  // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
  then: { required: ['command'] },
};
const tagged = { allOf: [...allOf, needsCommand] };
type CheckKey = 'path' | 'host' | 'status' | 'body' | 'verify' | 'send' | 'expect' | 'service' | 'command';

const urlPathField = text('path of a URL', '^/', parseUrlPath);
const hostField = text('name of a host', '^[\\w.:\\[\\]-]{1,255}$', parseHost);
const wordsField = text(`text, at most ${healthLimits.bytes} characters`, '.', parseWords);
const bytesField = text(`text, or \`hex:\` and bytes; at most ${healthLimits.bytes}`, '', parseBytes);
const oneStatus = {
  type: ['integer', 'string'],
  pattern: '^[1-5]\\d\\d(-[1-5]\\d\\d)?$',
  minimum: 100,
  maximum: 599,
};
const statusesField = formed(
  'a status, a range, or a list of them',
  { anyOf: [oneStatus, { type: 'array', items: oneStatus, minItems: 1, maxItems: healthLimits.arguments }] },
  parseStatuses,
);
const commandField = formed(
  'a list of words',
  { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: healthLimits.arguments },
  parseCommand,
);

const time = ({ least, most }: { least: number; most: number }) => scalar(duration(least, most));
const penalty = scalar(integer(1, healthLimits.penalty));

/** @param isCommon  for all vips, where ours are the defaults; else of one vip, where those for all are */
function strictness(isCommon: boolean) {
  const about = (description: string, standard: unknown) => ({
    description,
    ...(isCommon ? { default: standard } : { otherwise: 'that of `controller.health`' }),
  });
  const { intervalMs, timeoutMs, rise, fall, jitter, deadAfterMs, floor } = healthDefaults;
  const { halfLifeMs, suppressAbove, reuseBelow, suppressMaxMs, fallPenalty } = dampingDefaults;
  const percent = (share: number): string => `${share * 100}%`;
  return {
    interval: time(healthLimits.intervalMs)
      .optional()
      .meta(about('Between two probes of a backend.', formatDuration(intervalMs))),
    timeout: time(healthLimits.timeoutMs)
      .optional()
      .meta(about('Of a probe; no longer than the interval.', formatDuration(timeoutMs))),
    rise: scalar(integer(1, healthLimits.answers))
      .optional()
      .meta(about('Passes in a row until it is up. A first answer decides alone.', rise)),
    fall: scalar(integer(1, healthLimits.answers))
      .optional()
      .meta(about('Failures in a row until it is down.', fall)),
    jitter: scalar(percentage(0, 50))
      .optional()
      .meta(about('Intervals are longer or shorter by up to so much.', percent(jitter))),
    dead_after: time(healthLimits.deadAfterMs)
      .optional()
      .meta(about('Who is silent for so long is dead; before, it is avoided.', formatDuration(deadAfterMs))),
    floor: scalar(percentage(0, 100))
      .optional()
      .meta(
        about(
          'If less of the pool were left, none of the checks is trusted; `0%` for never.',
          percent(floor),
        ),
      ),
    flapping: z
      .strictObject({
        hold: scalar(oneOf(true, false)).optional().meta(about('Whether one that flaps is held out.', true)),
        half_life: time(healthLimits.halfLifeMs)
          .optional()
          .meta(about('Of the penalty.', formatDuration(halfLifeMs))),
        suppress_above: penalty
          .optional()
          .meta(about(`It is held out above so much penalty; a fall costs ${fallPenalty}.`, suppressAbove)),
        reuse_below: penalty
          .optional()
          .meta(about('It is taken back below so much; less than `suppress_above`.', reuseBelow)),
        suppress_max: time(healthLimits.halfLifeMs)
          .optional()
          .meta(about('It is held out for so long at most.', formatDuration(suppressMaxMs))),
      })
      .optional()
      .describe('One that falls again and again is held out until it was quiet for a while (RFC 2439).'),
  };
}

export const controllerHealthSchema = z
  .strictObject(strictness(true))
  .describe('How strict checks are, for all vips that have any; each may say otherwise.');

export const vipHealthSchema = z
  .strictObject({
    check: scalar(oneOf(...checks)).describe('How backends are asked.'),
    port: scalar(integer(1, 65_535))
      .optional()
      .meta({ otherwise: 'that of the backend', description: 'Where backends are asked.' }),
    path: scalar(urlPathField)
      .optional()
      .meta({ default: checkDefaults.path, description: 'Of `http` and `https`.' }),
    host: scalar(hostField).optional().meta({
      otherwise: 'its address',
      description: 'Of `http` and `https`: the Host header and the name in TLS.',
    }),
    status: scalar(statusesField)
      .optional()
      .meta({ default: checkDefaults.status, description: 'Of `http` and `https`: the answers that pass.' }),
    body: scalar(wordsField)
      .optional()
      .describe('Of `http` and `https`: text that the first 64 KiB of the answer must have.'),
    verify: scalar(oneOf(true, false)).optional().meta({
      default: checkDefaults.verify,
      description: 'Of `https`: whether the certificate must be good.',
    }),
    send: scalar(bytesField).optional().meta({ otherwise: 'an empty datagram', description: 'Of `udp`.' }),
    expect: scalar(bytesField)
      .optional()
      .meta({ otherwise: 'any answer', description: 'Of `udp`: what the answer must have.' }),
    service: scalar(wordsField)
      .optional()
      .meta({ otherwise: 'the server as a whole', description: 'Of `grpc`: the service that is asked for.' }),
    command: scalar(commandField)
      .optional()
      .describe('Of `command`, and required there. No shell reads it; exit code 0 passes.'),
    ...strictness(false),
  })
  .meta(tagged)
  .describe('Backends are asked how they are ([health checks](health.md)). Absent: not checked.')
  .superRefine((shape, context) => {
    const right = keysOfChecks[shape.check];
    for (const key of new Set(Object.values(keysOfChecks).flat())) {
      if (shape[key] === undefined || right.includes(key)) continue;
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `is of no use to a check by ${shape.check}`,
        params: { right: right.length === 0 ? 'no such key' : `one of ${right.join(', ')}` },
      });
    }
    if (shape.check === 'command' && shape.command === undefined)
      context.addIssue({
        code: 'custom',
        path: ['command'],
        message: 'is missing',
        params: { right: 'a list of words, such as [/usr/local/bin/check, --quick]' },
      });
  });

type Strictness = z.output<typeof controllerHealthSchema>;
type VipHealthShape = z.output<typeof vipHealthSchema>;

interface Shape {
  controller: { health?: Strictness | undefined };
  vips: readonly { name: string; health?: VipHealthShape | undefined }[];
}

export function toHealth({ controller, vips }: Shape): VipHealth[] {
  return vips.flatMap(({ name, health }) => {
    if (health === undefined) return [];
    const options = toOptions(health, toOptions(controller.health ?? {}, healthDefaults));
    return [{ vip: name, check: toCheck(health), port: health.port, options }];
  });
}

export function* healthTroubles({ controller, vips }: Shape): Generator<{
  severity: 'error';
  path: (string | number)[];
  wrong: string;
  right: string;
}> {
  const common = toOptions(controller.health ?? {}, healthDefaults);
  const all = vips.map(({ health }, index) => ({ health, path: ['vips', index, 'health'] }));
  for (const { health, path } of [{ health: controller.health, path: ['controller', 'health'] }, ...all]) {
    if (health === undefined) continue;
    const { intervalMs, timeoutMs, damping } = toOptions(health, common);
    if (timeoutMs > intervalMs)
      yield {
        severity: 'error',
        path: [...path, health.timeout === undefined ? 'interval' : 'timeout'],
        wrong: `a timeout of ${timeoutMs} ms is longer than the interval of ${intervalMs} ms`,
        right: 'one that is not',
      };
    if (damping && damping.reuseBelow >= damping.suppressAbove)
      yield {
        severity: 'error',
        path: [...path, 'flapping'],
        wrong: `reuse_below ${damping.reuseBelow} is not below suppress_above ${damping.suppressAbove}`,
        right: 'a lower one',
      };
  }
}

function toOptions(shape: Strictness, defaults: HealthOptions): HealthOptions {
  const { flapping = {} } = shape;
  const base = defaults.damping ?? dampingDefaults;
  const isHeld = flapping.hold ?? defaults.damping !== undefined;
  const intervalMs = shape.interval ?? defaults.intervalMs;
  return {
    intervalMs,
    // An interval that is short by itself needs no word about the timeout.
    timeoutMs: shape.timeout ?? Math.min(defaults.timeoutMs, intervalMs),
    rise: shape.rise ?? defaults.rise,
    fall: shape.fall ?? defaults.fall,
    jitter: shape.jitter ?? defaults.jitter,
    deadAfterMs: shape.dead_after ?? defaults.deadAfterMs,
    floor: shape.floor ?? defaults.floor,
    damping: isHeld
      ? {
          fallPenalty: base.fallPenalty,
          halfLifeMs: flapping.half_life ?? base.halfLifeMs,
          suppressAbove: flapping.suppress_above ?? base.suppressAbove,
          reuseBelow: flapping.reuse_below ?? base.reuseBelow,
          suppressMaxMs: flapping.suppress_max ?? base.suppressMaxMs,
        }
      : undefined,
  };
}

function toCheck(shape: VipHealthShape): Check {
  const { check, path = checkDefaults.path, host, body, verify = checkDefaults.verify } = shape;
  const statuses = shape.status ?? [{ least: 200, most: 399 }];
  switch (check) {
    case 'tcp':
      return { kind: 'tcp' };
    case 'http':
    case 'https':
      return { kind: 'http', tls: check === 'https', verify, path, host, statuses, body };
    case 'udp':
      return { kind: 'udp', send: shape.send ?? new Uint8Array(), expect: shape.expect };
    case 'grpc':
      return { kind: 'grpc', service: shape.service ?? checkDefaults.service };
    case 'command':
      return { kind: 'command', argv: shape.command ?? [] };
  }
}

function parseUrlPath(input: unknown): Parsed<string> {
  if (typeof input === 'string' && /^\/[\x21-\x7e]{0,1023}$/.test(input)) return { value: input };
  return { wrong: `${show(input)} is not a path`, right: 'one that begins with a slash, such as /healthz' };
}

function parseHost(input: unknown): Parsed<string> {
  if (typeof input === 'string' && /^[\w.:[\]-]{1,255}$/.test(input)) return { value: input };
  return { wrong: `${show(input)} is not a host`, right: 'a name, such as shop.example' };
}

/** 200, '200-299', or a list of them. */
function parseStatuses(input: unknown): Parsed<{ least: number; most: number }[]> {
  const right = 'a status, a range such as 200-299, or a list of them';
  const parts = Array.isArray(input) ? input : [input];
  const statuses: { least: number; most: number }[] = [];
  for (const part of parts) {
    const [, least, most = least] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(part)) ?? [];
    if (least === undefined || Number(least) > Number(most))
      return { wrong: `${show(part)} is not an HTTP status`, right };
    statuses.push({ least: Number(least), most: Number(most) });
  }
  if (statuses.length > 0 && statuses.length <= healthLimits.arguments) return { value: statuses };
  return { wrong: `there are ${statuses.length} statuses`, right };
}

function parseWords(input: unknown): Parsed<string> {
  if (typeof input === 'string' && input !== '' && input.length <= healthLimits.bytes)
    return { value: input };
  return { wrong: `${show(input)} is no text`, right: `text of at most ${healthLimits.bytes} characters` };
}

/** 'PING', or 'hex:50 49 4e 47'. */
function parseBytes(input: unknown): Parsed<Uint8Array> {
  const right = `text, or hex: and bytes in hexadecimal; at most ${healthLimits.bytes}`;
  if (typeof input !== 'string') return { wrong: `${show(input)} is no text`, right };
  let bytes: Uint8Array;
  if (input.startsWith('hex:')) {
    const digits = input.slice(4).replaceAll(/[\s:]/g, '');
    if (!/^([0-9a-f]{2})*$/i.test(digits)) return { wrong: `'${input}' is not hexadecimal`, right };
    bytes = Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  } else bytes = new TextEncoder().encode(input);
  return bytes.length <= healthLimits.bytes ? { value: bytes } : { wrong: `${bytes.length} bytes`, right };
}

function parseCommand(input: unknown): Parsed<string[]> {
  const right = 'a list of words, such as [/usr/local/bin/check, --quick]; no shell reads it';
  const isList = Array.isArray(input) && input.length > 0 && input.length <= healthLimits.arguments;
  if (isList && input.every((word) => typeof word === 'string' && !word.includes('\0')) && input[0] !== '')
    return { value: input as string[] };
  return { wrong: `${show(input)} is not a command`, right };
}
