// SPDX-License-Identifier: Apache-2.0
/**
 * Tells the speaker of the vips that can be served, unless the balancer drains.
 *
 * While nothing is certain (no switch, on standby, tables not read yet) what was announced stays: the switch forwards as it
 * last did, and a route that is withdrawn breaks the flows that it carried.
 */
import { compareAddresses } from './core/address.ts';
import type { Address } from './core/desired.ts';
import type { Announcer, AnnouncerStatus } from './ports/announcer.ts';

export interface AnnouncingStatus extends AnnouncerStatus {
  isDraining: boolean;
}

export class Announcing {
  private readonly announcer: Announcer;
  private isDraining: boolean;
  private servable: readonly Address[] | undefined;
  /** As it was told last. */
  private told: readonly Address[] | undefined;

  constructor(announcer: Announcer, { isDraining }: { isDraining: boolean }) {
    this.announcer = announcer;
    this.isDraining = isDraining;
    this.tell();
  }

  /** @param servable  undefined: nothing certain is known */
  note(servable: readonly Address[] | undefined): void {
    if (servable === undefined) return;
    this.servable = servable.toSorted(compareAddresses);
    this.tell();
  }

  drain(isDraining: boolean): void {
    this.isDraining = isDraining;
    this.tell();
  }

  status(): AnnouncingStatus {
    return { ...this.announcer.status(), isDraining: this.isDraining };
  }

  close(): Promise<void> {
    return this.announcer.close();
  }

  private tell(): void {
    // To withdraw everything needs no knowledge of the switch.
    const wanted = this.isDraining ? [] : this.servable;
    const { told } = this;
    if (wanted === undefined) return;
    const isSame = told?.length === wanted.length && wanted.every((address, i) => address === told[i]);
    if (isSame) return;
    this.told = wanted;
    this.announcer.announce(wanted);
  }
}
