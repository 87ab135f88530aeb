// SPDX-License-Identifier: Apache-2.0
/** What `evenkeel replace` is told: who takes whose seat. */
import { endpointOf } from './change-command.ts';
import type { ClientOptions } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';

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

/** OLD NEW ADDRESS:PORT, or several of OLD=NEW@ADDRESS:PORT. @throws CommandError */
export function pairsOf(words: readonly string[]): Pair[] {
  const [old = '', by = '', at = ''] = words;
  const isOne = words.length === 3 && !words.some((word) => word.includes('='));
  return isOne ? [{ old, by, ...endpointOf(at) }] : words.map(pairOf);
}

/** 'web-1=web-5@10.0.2.15:8080'. */
function pairOf(word: string): Pair {
  const [, old, by, at] = /^([^=@]+)=([^=@]+)@(.+)$/.exec(word) ?? [];
  if (old === undefined || by === undefined || at === undefined)
    throw new CommandError(
      exitCodes.usage,
      `'${word}' is no replacement; expected OLD NEW ADDRESS:PORT, or OLD=NEW@ADDRESS:PORT`,
    );
  return { old, by, ...endpointOf(at) };
}
