// SPDX-License-Identifier: Apache-2.0
/**
 * Which ports of a switch on real interfaces are up. Looks at what Linux says of the interface, as BMv2 does, and as
 * often; but not before somebody has asked for a port, because few programs watch any.
 */

import { readFileSync } from 'node:fs';
import type { PacketPortBinding } from '../ports/packet-socket.ts';

export const linkPollMs = 200;

export interface LinkWatchOptions {
  interfaces: readonly PacketPortBinding[];
  onChange: (port: number) => void;
  /** The state of an interface as in `/sys/class/net/NAME/operstate`; undefined when there is none. */
  readState: (interfaceName: string) => string | undefined;
}

export const linkWatchDefaults: Readonly<Pick<LinkWatchOptions, 'readState'>> = {
  readState: operationalState,
};

export class LinkWatch {
  readonly #options: LinkWatchOptions;
  readonly #up = new Map<number, boolean>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: Partial<LinkWatchOptions> & Pick<LinkWatchOptions, 'interfaces' | 'onChange'>) {
    this.#options = { ...linkWatchDefaults, ...options };
  }

  /** A port without interface is down, as on simple_switch_grpc. */
  isUp(port: number): boolean {
    if (this.#timer === undefined) {
      this.#look();
      this.#timer = setInterval(() => this.poll(), linkPollMs);
      this.#timer.unref();
    }
    return this.#up.get(port) ?? false;
  }

  /** Looks now, and tells of every port that has changed. */
  poll(): void {
    for (const port of this.#look()) this.#options.onChange(port);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** @returns the ports that have changed */
  #look(): number[] {
    const changed: number[] = [];
    for (const { port, interfaceName, namespace } of this.#options.interfaces) {
      // From here an interface of another namespace cannot be seen: it counts as up.
      const isUp = namespace !== undefined || isUpState(this.#options.readState(interfaceName));
      if (this.#up.get(port) !== isUp) changed.push(port);
      this.#up.set(port, isUp);
    }
    return changed;
  }
}

/** `unknown` is what interfaces say that have no idea of a link, and is up for BMv2 too. */
function isUpState(state: string | undefined): boolean {
  return state === 'up' || state === 'unknown';
}

function operationalState(interfaceName: string): string | undefined {
  try {
    return readFileSync(`/sys/class/net/${interfaceName}/operstate`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
