// SPDX-License-Identifier: Apache-2.0
/**
 * The part `announce` of the configuration file: which speaker tells the routers of the vips, and whether it shall.
 *
 *   announce: { speaker: bird, file: /etc/bird/evenkeel.conf, control: /run/bird/bird.ctl, drain: false }
 *   announce: { speaker: frr, vtysh: vtysh, pathspace: blue, tag: 10300, withdraw_below: 25% }
 */
import { z } from 'zod';
import { integer, keysByTag, oneOf, pathField, percentage, scalar, text } from './field.ts';
import { type Parsed, show } from './scalar.ts';

export type SpeakerConfig =
  /** file: what BIRD's own configuration includes; we write it. control: BIRD's control socket. */
  | { kind: 'bird'; file: string; control: string }
  /** pathspace: of an FRR that is not the only one of its machine (`-N`). tag: of the static routes that are ours. */
  | { kind: 'frr'; vtysh: string; pathspace: string | undefined; tag: number };

export interface AnnounceConfig {
  speaker: SpeakerConfig;
  /** No vip is announced: traffic is to go elsewhere. What still arrives is forwarded. */
  isDraining: boolean;
  /** A pool is not announced while a smaller share of its backends passes its checks, whatever their floor makes of them. 0: never. */
  withdrawBelow: number;
}

/** As Debian's packages have it. */
export const speakerDefaults = {
  bird: { file: '/etc/bird/evenkeel.conf', control: '/run/bird/bird.ctl' },
  frr: { vtysh: 'vtysh', tag: 10_300 },
} as const;

const speakerKeys = { bird: ['file', 'control'], frr: ['vtysh', 'pathspace', 'tag'] } as const;

const absolutePathField = text('path from the root', '^/(.*[^/])?$', parseAbsolutePath);
const pathspaceField = text('letters, digits, `-`, `_`; at most 32', '^[A-Za-z0-9_-]{1,32}$', parsePathspace);

export const announceSchema = z
  .strictObject({
    speaker: scalar(oneOf('bird', 'frr')).describe('Which one is there.'),
    drain: scalar(oneOf(true, false))
      .default(false)
      .describe('Withdraws all vips; what still arrives is forwarded.'),
    withdraw_below: scalar(percentage(0, 100)).optional().meta({
      default: '0%',
      description:
        'A vip is withdrawn while a smaller share of its backends passes its checks: for who has another site ([when to](announce.md#another-site)).',
    }),
    file: scalar(absolutePathField).optional().meta({
      default: speakerDefaults.bird.file,
      description: 'Of `bird`: written by us, included by its own file.',
    }),
    control: scalar(absolutePathField)
      .optional()
      .meta({ default: speakerDefaults.bird.control, description: 'Of `bird`: its control socket.' }),
    vtysh: scalar(pathField)
      .optional()
      .meta({ default: speakerDefaults.frr.vtysh, description: 'Of `frr`: the command.' }),
    pathspace: scalar(pathspaceField)
      .optional()
      .describe('Of an `frr` that is not the only one of its machine (`-N`).'),
    // FRR's tags are 32 bits wide; 0 is none.
    tag: scalar(integer(1, 0xffff_ffff)).optional().meta({
      default: speakerDefaults.frr.tag,
      description: 'Of `frr`: of the static routes that are ours.',
    }),
  })
  .meta(keysByTag('speaker', speakerKeys))
  .describe('A BGP speaker is told of the vips ([vips announced by BGP](announce.md)).')
  .superRefine((shape, context) => {
    const other = shape.speaker === 'bird' ? 'frr' : 'bird';
    for (const key of speakerKeys[other]) {
      if (shape[key] === undefined) continue;
      const right = `one of ${speakerKeys[shape.speaker].join(', ')}; or speaker: ${other}`;
      const message = `is of no use to ${shape.speaker}`;
      context.addIssue({ code: 'custom', path: [key], message, params: { right } });
    }
  });

export function toAnnounce(shape: z.output<typeof announceSchema> | undefined): AnnounceConfig | undefined {
  if (shape === undefined) return undefined;
  const { bird, frr } = speakerDefaults;
  const { file = bird.file, control = bird.control, vtysh = frr.vtysh, pathspace, tag = frr.tag } = shape;
  return {
    speaker:
      shape.speaker === 'bird' ? { kind: 'bird', file, control } : { kind: 'frr', vtysh, pathspace, tag },
    isDraining: shape.drain,
    withdrawBelow: shape.withdraw_below ?? 0,
  };
}

function parseAbsolutePath(input: unknown): Parsed<string> {
  if (typeof input === 'string' && input.startsWith('/') && !input.endsWith('/')) return { value: input };
  return { wrong: `${show(input)} is not a path from the root`, right: 'such as /etc/bird/evenkeel.conf' };
}

/** FRR makes a folder of it. */
function parsePathspace(input: unknown): Parsed<string> {
  if (typeof input === 'string' && /^[A-Za-z0-9_-]{1,32}$/.test(input)) return { value: input };
  return { wrong: `${show(input)} is not a pathspace`, right: 'letters, digits, dashes and underscores' };
}
