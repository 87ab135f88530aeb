// SPDX-License-Identifier: Apache-2.0
/** The shape of `controller`: its API, its limits, its timers, and where it keeps what the next one should know. */
import { z } from 'zod';
import {
  configLimits,
  controllerDefaults,
  digestRateDefaults,
  storeDefaults,
  timerDefaults,
} from './config.ts';
import { duration, hostPortField, integer, keysByTag, oneOf, pathField, scalar, text } from './field.ts';
import { controllerHealthSchema } from './health.ts';
import { formatDuration, formatHostPort, type Parsed, parseHostPort, show } from './scalar.ts';

const endpointField = text('HOST:PORT or URL of an etcd', '^(https?://)?[^/]+:\\d{1,5}/?$', parseEndpointUrl);
const prefixField = text(
  'letters, digits, `.`, `_`, `-`, `/`; at most 101',
  '^[\\w./-]{0,99}\\w/?$',
  parsePrefix,
);

const auditField = text(
  `duration, ${formatDuration(configLimits.auditMs.least)} to ${formatDuration(configLimits.auditMs.most)}, or off`,
  '^(off|\\d+(\\.\\d+)? ?(ms|s|m|h))$',
  parseAudit,
);

const timer = scalar(duration(configLimits.timerMs.least, configLimits.timerMs.most));
const timersSchema = z
  .strictObject({
    rotation: timer
      .prefault(timerDefaults.rotation)
      .describe('While slots are unstable, a fresh filter slot becomes the active one this often.'),
    quarantine: timer
      .prefault(timerDefaults.quarantine)
      .describe(
        'A filter slot is kept so long after it was active: handshakes, retransmissions included, must end within it.',
      ),
    merge_margin: timer
      .prefault(timerDefaults.merge_margin)
      .describe(
        'A slot becomes stable so long after the `session_timeout`: digests on their way arrive within it.',
      ),
    stale_digest: timer
      .prefault(timerDefaults.stale_digest)
      .describe('A digest about a slot that became stable less than this ago is still believed.'),
    closing_timeout: timer
      .prefault(timerDefaults.closing_timeout)
      .describe('Idle timeout of a pin whose connection has sent FIN or RST.'),
  })
  .prefault({})
  .describe('Of the commit engine. The defaults are measured; there is seldom a reason to touch them.');

const storeSchema = z
  .strictObject({
    kind: scalar(oneOf('file', 'etcd'))
      .default(storeDefaults.kind)
      .describe(
        '`file`: this controller is alone. `etcd`: several elect a leader, and the configuration is there.',
      ),
    path: scalar(pathField).optional().meta({
      otherwise: 'the configuration file with `.book`',
      description: 'The journal of `file`. It may be deleted.',
    }),
    endpoints: z
      .array(scalar(endpointField))
      .optional()
      .meta({ maxItems: configLimits.endpoints, description: 'Of the `etcd`; required with it.' }),
    prefix: scalar(prefixField).optional().meta({
      default: storeDefaults.prefix,
      description: 'Of all keys in `etcd`; one for each group of switches.',
    }),
    lease: scalar(duration(configLimits.leaseMs.least, configLimits.leaseMs.most))
      .optional()
      .meta({
        default: formatDuration(storeDefaults.leaseMs),
        description:
          'A leader that dies without a word is followed by another so much later; with `etcd` only.',
      }),
  })
  .meta(keysByTag('kind', { file: ['path'], etcd: ['endpoints', 'prefix', 'lease'] }))
  .prefault({})
  .describe('Where the controller keeps what the next one should know.');

const rate = scalar(integer(configLimits.digestRate.least, configLimits.digestRate.most, 'a second'));
const digestRateSchema = z
  .strictObject({
    flows: rate.default(digestRateDefaults.flows).describe('Asking the controller for a pin.'),
    neighbours: rate
      .default(digestRateDefaults.neighbours)
      .describe('Telling the controller of a neighbour.'),
    answers: rate
      .default(digestRateDefaults.answers)
      .describe('Pings answered, resets and ICMP errors sent. ARP and NDP have no limit.'),
  })
  .prefault({})
  .describe('What the data plane may do of its own accord. What is beyond is not done, and counted.');

const tlsSchema = z
  .strictObject({
    certificate: scalar(pathField).describe('PEM.'),
    key: scalar(pathField).describe('PEM.'),
    client_ca: scalar(pathField)
      .optional()
      .describe('PEM. Who shows a certificate of this authority may change state.'),
  })
  .optional()
  .describe('The admin API speaks HTTPS. Paths begin beside the configuration file.');

export const controllerSchema = z
  .strictObject({
    listen: scalar(hostPortField)
      .prefault(controllerDefaults.listen)
      .describe(
        'The admin API and the dashboard. Beyond loopback it needs a token of yours or `tls`. At a restart only.',
      ),
    token_file: scalar(pathField).optional().meta({
      otherwise: 'EVENKEEL_TOKEN, or one is made up',
      description: 'Holds the token (20 characters at least) of who may change state. Read at the start.',
    }),
    tls: tlsSchema,
    max_pins: scalar(integer(0, configLimits.pins))
      .default(controllerDefaults.max_pins)
      .describe(
        'Connections that may be remembered at a time. At the limit changes wait; no connection is broken for room.',
      ),
    audit: scalar(auditField)
      .prefault(controllerDefaults.audit)
      .describe(
        'Switches are read back this often, to see whether somebody else has written to them; `off`: only by `evenkeel drift`. At a restart only.',
      ),
    digest_rate: digestRateSchema,
    timers: timersSchema,
    health: controllerHealthSchema.optional(),
    store: storeSchema,
    election_id: scalar(integer(1, Number.MAX_SAFE_INTEGER)).optional().meta({
      otherwise: 'the time of the start',
      description:
        'Two controllers without etcd: the higher is in charge while it is there. Not with `etcd`.',
    }),
  })
  .prefault({})
  .describe('The controller itself.');

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

/** @returns 0 for off, which YAML of old takes for false */
function parseAudit(input: unknown): Parsed<number> {
  if (input === 'off' || input === false) return { value: 0 };
  const { least, most } = configLimits.auditMs;
  const parsed = duration(least, most)(input);
  return 'value' in parsed ? parsed : { ...parsed, right: `${parsed.right}, or off` };
}

/** '/evenkeel/'; the slash at the end may be left out. */
function parsePrefix(input: unknown): Parsed<string> {
  if (typeof input === 'string' && /^[\w./-]{0,99}\w\/?$/.test(input))
    return { value: input.endsWith('/') ? input : `${input}/` };
  return { wrong: `${show(input)} is not a prefix`, right: 'what keys begin with, such as /evenkeel/' };
}
