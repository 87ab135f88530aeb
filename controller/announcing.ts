// SPDX-License-Identifier: Apache-2.0
/**
 * Tells the speaker of the vips that can be served, unless the balancer drains, or the checks of a vip speak against it.
 *
 * While nothing is certain (no switch, on standby, tables not read yet) what was announced stays: the switch forwards as it
 * last did, and a route that is withdrawn breaks the flows that it carried.
 */
import type { AnnounceConfig } from './config/announce.ts';
import { compareAddresses } from './core/address.ts';
import type { Servable } from './core/announce.ts';
import type { Address } from './core/desired.ts';
import type { Announcer, AnnouncerStatus } from './ports/announcer.ts';
import type { Log } from './ports/log.ts';

export interface AnnouncingStatus extends AnnouncerStatus {
  isDraining: boolean;
  /** Pools that could be served, and of whose backends too few pass their checks. */
  refused: string[];
}

export interface AnnouncingWorld {
  announcer: Announcer;
  log: Log;
  /** Of the backends of a pool, the share that passes its checks; undefined: they are not checked. */
  passingShare: (pool: string) => number | undefined;
}

type Settings = Pick<AnnounceConfig, 'isDraining' | 'withdrawBelow'>;

export class Announcing {
  private readonly world: AnnouncingWorld;
  private settings: Settings;
  private servable: readonly Servable[] | undefined;
  /** By name. */
  private refused: ReadonlySet<string> = new Set();
  /** As it was told last. */
  private told: readonly Address[] | undefined;

  constructor(settings: Settings, world: AnnouncingWorld) {
    this.world = world;
    this.settings = settings;
    this.look();
  }

  /** @param servable  undefined: nothing certain is known */
  note(servable: readonly Servable[] | undefined): void {
    if (servable === undefined) return;
    this.servable = servable;
    this.look();
  }

  follow(settings: Settings): void {
    this.settings = settings;
    this.look();
  }

  /** What `passingShare` says may have changed. */
  look(): void {
    this.judge();
    const wanted = this.wanted();
    const { told } = this;
    if (wanted === undefined) return;
    const isSame = told?.length === wanted.length && wanted.every((address, i) => address === told[i]);
    if (isSame) return;
    this.told = wanted;
    this.world.announcer.announce(wanted);
  }

  status(): AnnouncingStatus {
    const { isDraining } = this.settings;
    return { ...this.world.announcer.status(), isDraining, refused: [...this.refused] };
  }

  close(): Promise<void> {
    return this.world.announcer.close();
  }

  private wanted(): Address[] | undefined {
    // To withdraw everything needs no knowledge of the switch.
    if (this.settings.isDraining) return [];
    if (this.servable === undefined) return undefined;
    const fit = this.servable.filter(({ pool }) => !this.refused.has(pool));
    return [...new Set(fit.map(({ address }) => address))].sort(compareAddresses);
  }

  private judge(): void {
    const { log, passingShare } = this.world;
    const { withdrawBelow } = this.settings;
    const refused = new Set<string>();
    for (const { pool } of this.servable ?? []) {
      const share = passingShare(pool) ?? 1;
      if (share < withdrawBelow) refused.add(pool);
      if (refused.has(pool) === this.refused.has(pool)) continue;
      const fields = { pool, passing: `${Math.round(share * 100)} %` };
      if (refused.has(pool))
        log('error', 'too few backends pass their checks: the pool is not announced', fields);
      else log('info', 'enough backends pass their checks again: the pool may be announced', fields);
    }
    this.refused = refused;
  }
}
