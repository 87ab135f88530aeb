// SPDX-License-Identifier: Apache-2.0
/** The engine's numbers by a configuration: its defaults, but for what the file says. */
import type { Config } from './config/config.ts';
import { type EngineOptions, engineDefaults } from './core/options.ts';

export function engineOptionsOf({ controller }: Config): EngineOptions {
  const {
    listen: _,
    tokenFile: __,
    tls: ___,
    store: ____,
    electionId: _____,
    auditMs: ______,
    ...settings
  } = controller;
  return { ...engineDefaults, ...settings };
}
