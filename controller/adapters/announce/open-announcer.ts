// SPDX-License-Identifier: Apache-2.0
/** The speaker that the configuration names, ready to be told. */
import type { SpeakerConfig } from '../../config/announce.ts';
import type { Announcer } from '../../ports/announcer.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { Bird } from './bird.ts';
import { Frr } from './frr.ts';
import { SpeakerAnnouncer } from './speaker-announcer.ts';

export function openAnnouncer(config: SpeakerConfig, world: { clock: Clock; log: Log }): Announcer {
  return new SpeakerAnnouncer(config.kind === 'bird' ? new Bird(config) : new Frr(config), world);
}
