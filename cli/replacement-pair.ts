// SPDX-License-Identifier: Apache-2.0
/** What `evenkeel replace` is told: who takes whose seat. */
import { InvalidArgumentError } from 'commander';
import { endpoint } from './change-command.ts';
import type { ClientOptions } from './client-options.ts';

export interface Pair {
  old: string;
  by: string;
  address: string;
  port: number;
}

export interface ReplaceOptions extends ClientOptions {
  deadline?: number;
  healthTimeout: number;
  /** Percent. */
  maxUnstable: number;
  serverId?: string;
  wait: boolean;
}

/** 'web-1=web-5@10.0.2.15:8080'. */
export function pairOf(word: string): Pair {
  const [, old, by, at] = /^([^=@]+)=([^=@]+)@(.+)$/.exec(word) ?? [];
  if (old === undefined || by === undefined || at === undefined)
    throw new InvalidArgumentError(
      `'${word}' is no replacement; expected OLD NEW ADDRESS:PORT, or OLD=NEW@ADDRESS:PORT.`,
    );
  return { old, by, ...endpoint(at) };
}
