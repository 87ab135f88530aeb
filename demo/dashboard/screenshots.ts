// SPDX-License-Identifier: Apache-2.0
/** Makes the pictures of the dashboard in docs/images: during a commit and after its merge, in light and dark. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromiumPath, startBrowser } from './browser.ts';
import { smallerPng } from './png.ts';
import { Scene } from './scene.ts';

const folder = 'docs/images';
const sizeMax = 200_000;
const schemes = ['light', 'dark'] as const;

if (chromiumPath === undefined) {
  process.stderr.write("there is no Chromium here; expected Debian's: apt-get install chromium\n");
  process.exit(1);
}

mkdirSync(folder, { recursive: true });
const scene = await Scene.start({ sessionTimeout: '12s', slots: 1024 });
const browser = await startBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1400 }, reducedMotion: 'reduce' });
  await page.goto(scene.controller.adminUrl);
  await page.getByLabel(/^Token/).fill(scene.controller.adminToken);
  await page.getByRole('button', { name: 'Unlock changes' }).click();
  // Some curve before the change.
  await page.waitForTimeout(10_000);

  await scene.controller.edit({
    kind: 'add',
    vip: 'web',
    backend: 'web-5',
    address: '10.0.2.15',
    port: 8080,
  });
  await scene.controller.edit({ kind: 'state', vip: 'web', backend: 'web-2', state: 'draining' });
  await scene.until(() => scene.controller.status().engine.commits.length >= 1 && scene.unstableSlots > 0);
  await page.waitForTimeout(3_000);
  await shoot('commit');

  await scene.until(() => {
    const { change, pools } = scene.controller.status().engine;
    return change.phase === 'idle' && pools[0]!.backends[1]!.slots === 0 && scene.unstableSlots === 0;
  });
  await page.waitForTimeout(3_000);
  await shoot('merge');

  async function shoot(moment: 'commit' | 'merge'): Promise<void> {
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(1_200);
      const path = join(folder, `dashboard-${moment}-${colorScheme}.png`);
      const png = smallerPng(await page.screenshot());
      const size = png.length;
      writeFileSync(path, png);
      process.stdout.write(`${path}: ${size} bytes\n`);
      if (size > sizeMax) throw new Error(`${path} has ${size} bytes; expected at most ${sizeMax}`);
    }
  }
} finally {
  await browser.close();
  await scene.close();
}
