// SPDX-License-Identifier: Apache-2.0
/** The shape of `vips`: how each is reached, how it is served, and by whom. */
import { z } from 'zod';
import { backendDefaults, configLimits, quicDefaults, vipDefaults } from './config.ts';
import { addressField, duration, formed, integer, oneOf, scalar, text } from './field.ts';
import { vipHealthSchema } from './health.ts';
import { slowStartField, timeField } from './lifecycle-fields.ts';
import { nameField } from './name.ts';
import { type Parsed, parseServerId, show } from './scalar.ts';
import { vipLoadSchema } from './weights.ts';

const serverIdField = text('1 to 8 octets in hexadecimal', '^([0-9A-Fa-f]{2}){1,8}$', parseServerId);
const slotCountField = formed(
  `a power of two, 2 to ${configLimits.slotsPerVip}`,
  { enum: Array.from({ length: Math.log2(configLimits.slotsPerVip) }, (_, bit) => 2 << bit) },
  parseSlotCount,
);

const backendSchema = z
  .strictObject({
    name: scalar(nameField).describe('By which commands call it; its own within the vip.'),
    address: scalar(addressField).describe(
      'Of the server. `nat` and `l2_dsr` need one of the family of the vip; tunnels take both.',
    ),
    port: scalar(integer(1, 65_535)).optional().meta({
      otherwise: 'that of the vip',
      description: 'Where it listens. Only `forwarding: nat` can translate it.',
    }),
    server_id: scalar(serverIdField)
      .optional()
      .describe(
        'By which packets name it, as on the wire; of one length for all backends of a vip. Needs `hint`.',
      ),
    weight: scalar(integer(0, 65_535))
      .default(backendDefaults.weight)
      .describe('Share of new connections, relative to the other backends. 0 gets none; those it has go on.'),
    state: scalar(oneOf('active', 'draining', 'disabled', 'down'))
      .default(backendDefaults.state)
      .describe(
        '`draining`: no new connections, those it has go on. `disabled`: as if it were not here; what it has is cut. `down`: dead; its connections cannot be saved, and their clients are reset.',
      ),
    drain_deadline: scalar(timeField)
      .optional()
      .describe('With `state: draining`: what is left then is given up, as if it were disabled.'),
    replaces: scalar(nameField)
      .optional()
      .describe(
        'The backend whose seat it takes, as long as that one is here: `evenkeel replace` writes it.',
      ),
  })
  .describe('One server. Commands (`evenkeel add`, `drain`, ...) edit this list.');

const quicSchema = z
  .strictObject({
    layout: scalar(oneOf('quic-lb', 'katran-v1', 'katran-v2', 'katran-v3'))
      .default(quicDefaults.layout)
      .describe('How connection ids are laid out. Server ids have 1 to 7, 2, 3 or 4 octets.'),
    config_id: scalar(integer(0, 6)).optional().meta({
      default: quicDefaults.config_id,
      description: 'Which configuration of QUIC-LB; with `quic-lb` only.',
    }),
  })
  .describe('What the connection ids of `hint: quic` look like.');

export const vipSchema = z
  .strictObject({
    name: scalar(nameField).describe('By which commands call it.'),
    address: scalar(addressField).describe('That clients connect to.'),
    protocol: scalar(oneOf('tcp', 'udp'))
      .default(vipDefaults.protocol)
      .describe('Address, protocol and port together are the vip: two may share an address.'),
    port: scalar(integer(1, 65_535)).describe('That clients connect to.'),
    forwarding: scalar(oneOf('nat', 'l2_dsr', 'ipip', 'gre', 'gue'))
      .default(vipDefaults.forwarding)
      .describe(
        'How packets reach backends. With all but `nat` backends own the address of the vip and answer with it; tunnels need `network.tunnel`, `l2_dsr` backends on link.',
      ),
    gue_port: scalar(integer(1, 65_535)).optional().meta({
      default: vipDefaults.gue_port,
      description: 'Of the outer UDP header; with `forwarding: gue` only.',
    }),
    affinity: scalar(oneOf('none', 'source'))
      .default(vipDefaults.affinity)
      .describe(
        '`source`: new connections of one source address go to one backend. Another value makes a new pool of the vip.',
      ),
    hint: scalar(oneOf('none', 'quic', 'tcp_option'))
      .default(vipDefaults.hint)
      .describe(
        'Packets may name their backend by its `server_id`: in the QUIC connection id (udp) or in the TCP option 0xB7 (tcp).',
      ),
    quic: quicSchema.optional(),
    fragments: scalar(oneOf('drop', 'hash')).optional().meta({
      otherwise: '`drop`; with affinity `hash`',
      description:
        'Later fragments have no ports. `drop`: they are dropped and counted. `hash`: all go by addresses and protocol, for one vip of an address and protocol.',
    }),
    when_dead: scalar(oneOf('drop', 'reset', 'unreachable'))
      .default(vipDefaults.when_dead)
      .describe(
        'What clients are told while no backend lives: nothing, a TCP reset (UDP: port unreachable), or host unreachable.',
      ),
    slots: scalar(slotCountField)
      .default(vipDefaults.slots)
      .describe(
        'Rows of its Maglev table. At least 100 for each backend, or `check` warns: shares are whole slots. Another number makes a new pool of the vip.',
      ),
    session_timeout: scalar(duration(configLimits.sessionTimeoutMs.least, configLimits.sessionTimeoutMs.most))
      .prefault(vipDefaults.session_timeout)
      .describe(
        'A connection that is idle for longer may be forgotten. Slots stay unstable for so long after a change, so a longer one means more pins.',
      ),
    table: scalar(oneOf('maglev', 'prefix'))
      .default(vipDefaults.table)
      .describe(
        'How switches hold the slots. `maglev`: a row each. `prefix`: a row for all slots that begin with the same bits, where they have the same backend: few rows, and a change of many slots writes few (docs/prefix-tables.md).',
      ),
    placement: scalar(oneOf('pure', 'sticky'))
      .default(vipDefaults.placement)
      .describe(
        '`sticky` moves as few slots as the weights allow. `pure` is a function of the backends alone, for controllers that do not know each other.',
      ),
    health: vipHealthSchema.optional(),
    load: vipLoadSchema.optional(),
    slow_start: scalar(slowStartField)
      .optional()
      .describe(
        'A backend that joins others, or comes back, grows from this share of its weight (`from`, `10%` unless given) to the whole within the window.',
      ),
    backends: z.array(backendSchema).default([]).describe('The pool of the vip.'),
  })
  .describe('An address, a protocol and a port that clients connect to, and how they are served.');

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
