// SPDX-License-Identifier: Apache-2.0
/** A Chromium of this machine without a screen, for the dashboard. It is not downloaded: it is there, or it is not. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const places = [
  process.env.EVENKEEL_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** Undefined: there is none. */
export const chromiumPath = places.find((path) => path !== '' && existsSync(path));

export function startBrowser(): Promise<Browser> {
  // As root, in containers, the sandbox has no namespaces to stand on; it shows our own page alone.
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'];
  return chromium.launch({ ...(chromiumPath !== undefined && { executablePath: chromiumPath }), args });
}
