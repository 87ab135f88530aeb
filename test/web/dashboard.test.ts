// SPDX-License-Identifier: Apache-2.0
/** The dashboard in a real browser, served by a real controller of two switches; nothing else can be reached. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import { healthSchema } from '../../controller/adapters/http/health-schema.ts';
import { statusSchema } from '../../controller/adapters/http/schemas.ts';
import { chromiumPath, startBrowser } from '../../demo/dashboard/browser.ts';
import { Scene } from '../../demo/dashboard/scene.ts';
import { colourOf } from '../../web/palette.ts';
import { decode, layoutOf, marks, type SlotMap } from '../../web/slot-map.ts';

const root = join(import.meta.dirname, '../..');
const axePath = createRequire(import.meta.url).resolve('axe-core');

let scene: Scene;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** Requests to anywhere but the controller, and what the page complained of. */
let strayRequests: string[];
let complaints: string[];

const edit = (kind: 'add' | 'remove', backend: string) =>
  scene.controller.edit(
    kind === 'add'
      ? { kind, vip: 'web', backend, address: `10.0.2.${backend.replace(/\D/g, '')}`, port: 8080 }
      : { kind, vip: 'web', backend },
  );

const isMerged = (): boolean => {
  const { change, pools } = scene.controller.status().engine;
  return change.phase === 'idle' && pools[0]!.unstableSlots === 0;
};

async function unlock(token: string): Promise<void> {
  await page.getByLabel(/^Token/).fill(token);
  await page.getByRole('button', { name: 'Unlock changes' }).click();
}

/** What the page says of a slot, and the colours of its square above and below the line from corner to corner. */
async function seen(map: SlotMap, slot: number): Promise<{ words: string; above: string; below: string }> {
  const canvas = page.locator('#slot-canvas');
  const width = await page.locator('.picture').evaluate((element) => element.clientWidth);
  const { columns, cell } = layoutOf(map.slotCount, width);
  const x = (slot % columns) * cell;
  const y = Math.floor(slot / columns) * cell;
  await canvas.hover({ position: { x: x + cell / 2, y: y + cell / 2 } });
  // Letters stand in the middle, and the line runs between the other two corners. One look: nothing changes between.
  return page.evaluate(
    `(() => {
      const context = document.getElementById('slot-canvas').getContext('2d');
      const colourAt = (x, y) => '#' + [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]
        .map((value) => value.toString(16).padStart(2, '0')).join('');
      return {
        words: document.getElementById('slot-words').textContent,
        above: colourAt(${x + cell - 4}, ${y + 2}),
        below: colourAt(${x + 2}, ${y + cell - 4}),
      };
    })()`,
  );
}

const partedWords = /: unstable, new connections to (\S+), old ones to (\S+) or/;

/** Of a backend, by its name in the words for a slot. */
function colourOfName(map: SlotMap, name: string | undefined): string {
  return colourOf(map.backends.find((backend) => backend.name === name)!.id);
}

async function slots(): Promise<SlotMap> {
  const response = await fetch(new URL('/api/v1/pools/web/slots', scene.controller.adminUrl));
  return decode((await response.json()) as Parameters<typeof decode>[0]);
}

const summary = (text: RegExp) => page.locator('#slot-summary', { hasText: text }).waitFor();

/** What axe finds wrong, with where. */
async function wrongs(): Promise<string[]> {
  await page.evaluate(`${(await import('node:fs')).readFileSync(axePath, 'utf8')}; undefined`);
  const found = (await page.evaluate(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })",
  )) as { violations: { id: string; nodes: { html: string }[] }[]; passes: unknown[] };
  expect(found.passes.length).toBeGreaterThan(20);
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}

describe.skipIf(chromiumPath === undefined)(
  "the dashboard in Chromium (needs Debian's chromium)",
  { timeout: 240_000 },
  () => {
    beforeAll(async () => {
      execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'web'], {
        cwd: root,
      });
      browser = await startBrowser();
      // So long a change is unmerged, for a browser on a machine with much else to do to show it.
      scene = await Scene.start({ sessionTimeout: '14s', slots: 512 });
    }, 120_000);
    afterAll(async () => {
      await browser.close();
      await scene.close();
    });

    beforeEach(async () => {
      await scene.until(isMerged);
      context = await browser.newContext({
        viewport: { width: 1280, height: 1400 },
        reducedMotion: 'reduce',
      });
      context.setDefaultTimeout(90_000);
      page = await context.newPage();
      strayRequests = [];
      complaints = [];
      await context.route(
        (url) => url.origin !== scene.controller.adminUrl,
        (route) => {
          strayRequests.push(route.request().url());
          return route.abort();
        },
      );
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(scene.controller.adminUrl);
      await summary(/^512 slots, all stable$/);
    });
    afterEach(async () => {
      // The page may be asking just now: who answers it in the controller's place finds it gone.
      await context.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
    });

    it('shows who has each slot, a commit, and its merge, and asks nobody but the controller', async () => {
      const before = await slots();
      for (const slot of [0, 1, 100, 511]) {
        const { words, above, below } = await seen(before, slot);
        const owner = before.backends[before.owners[slot]! - 1]!.name;
        expect(words).toBe(`Slot ${slot}: stable on ${owner}`);
        expect([above, below]).toEqual([colourOfName(before, owner), colourOfName(before, owner)]);
      }

      await edit('add', 'web-15');
      await summary(/unstable: a change is not merged yet/);
      await page.locator('#slot-legend', { hasText: /web-15 [1-9]\d*, \d+ unstable/ }).waitFor();
      const during = await slots();
      const parted = [...during.owners.keys()].filter(
        (slot) => during.marks[slot] === marks.unstable && during.owners[slot] !== during.bases[slot],
      );
      expect(parted.length).toBeGreaterThan(50);
      for (const slot of parted.slice(0, 3)) {
        const { words, above, below } = await seen(during, slot);
        expect(words).toMatch(partedWords);
        const [, owner, base] = partedWords.exec(words)!;
        expect([above, below]).toEqual([colourOfName(during, owner), colourOfName(during, base)]);
        expect([owner, above]).toEqual(['web-15', expect.not.stringMatching(below)]);
      }
      await page.locator('#events li[data-topic=commit]', { hasText: 'committed' }).waitFor();
      await page.getByRole('row', { name: /web-15 .* active not checked 1 16\.\d %/ }).waitFor();

      await summary(/^512 slots, all stable$/);
      const after = await slots();
      for (const slot of parted.slice(0, 3))
        expect(await seen(after, slot)).toEqual({
          words: `Slot ${slot}: stable on web-15`,
          above: colourOfName(after, 'web-15'),
          below: colourOfName(after, 'web-15'),
        });
      await page.locator('#events li[data-topic=merge]', { hasText: 'every slot is stable again' }).waitFor();
      await page.getByLabel('Topic').selectOption('commit');
      expect(await page.locator('#events li:visible').count()).toBe(1);
      expect({ strayRequests, complaints }).toEqual({ strayRequests: [], complaints: [] });
    });

    it('is used by the keyboard alone, and says in words what it shows', async () => {
      await page.locator('#slot-canvas').focus();
      for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
      const map = await slots();
      const { columns } = layoutOf(
        map.slotCount,
        await page.locator('.picture').evaluate((it) => it.clientWidth),
      );
      const slot = columns + 2;
      const owner = map.backends[map.owners[slot]! - 1]!.name;
      expect(await page.locator('#slot-words').textContent()).toBe(`Slot ${slot}: stable on ${owner}`);

      // Every control can be reached, and shows that it has been.
      const reached = new Set<string>();
      await page.locator('.skip').focus();
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab');
        const name = await page.evaluate(
          "document.activeElement === document.body ? 'the end' : document.activeElement.matches(':focus-visible') ? document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.ariaLabel : 'unseen'",
        );
        reached.add(String(name));
      }
      expect([...reached]).toEqual(
        expect.arrayContaining(['web', 'dns', 'slot-canvas', 'token', 'Unlock changes', 'topic']),
      );
      expect(reached).not.toContain('unseen');

      await page.getByRole('button', { name: 'dns' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'dns: 10.0.1.100:53/udp by nat, serving' }).waitFor();
      await summary(/^256 slots/);
      expect(
        await page.getByRole('img', { name: /They spread dns over: dns-1 50\.0 %, dns-2 50\.0 %/ }).count(),
      ).toBe(1);
    });

    it('changes nothing without the token, and what one wants with it', async () => {
      const form = page.locator('#add');
      expect(await form.getByRole('button', { name: 'Add' }).isDisabled()).toBe(true);
      expect(await page.getByRole('button', { name: /^Drain/ }).count()).toBe(0);
      await unlock('not-the-token-of-this-controller');
      await page.getByText('this is not the token of this controller').waitFor();
      expect(await form.getByRole('button', { name: 'Add' }).isDisabled()).toBe(true);
      complaints = complaints.filter((text) => !text.includes('401'));

      await unlock(scene.controller.adminToken);
      await page.getByText('Changes are possible').waitFor();
      await form.getByLabel('Name').fill('web-16');
      await form.getByLabel('Address').fill('10.0.2.16');
      await form.getByLabel('Port').fill('8080');
      await form.getByLabel('Weight').fill('2');
      await form.getByRole('button', { name: 'Add' }).click();
      await page.getByText('Done: add web-16.').waitFor();
      await page.getByRole('button', { name: 'Drain web-1', exact: true }).click();
      await page.getByText('Done: drain web-1.').waitFor();
      await page.locator('#weight').getByLabel('Backend').selectOption('web-2');
      await page.locator('#weight').getByLabel('Weight').fill('3');
      await page.getByRole('button', { name: 'Change', exact: true }).click();
      await page.getByText('Done: weight 3 for web-2.').waitFor();
      await form.getByRole('button', { name: 'Add' }).click();
      await page.getByText(/^Not done: .*web-16.*expected/).waitFor();
      complaints = complaints.filter((text) => !text.includes('409'));

      const wanted = () =>
        scene.controller
          .status()
          .engine.pools[0]!.backends.map(({ name, state, weight }) => `${name} ${state} ${weight}`);
      expect(wanted()).toEqual(
        expect.arrayContaining(['web-1 draining 1', 'web-2 active 3', 'web-3 active 2', 'web-16 active 2']),
      );
      await page.getByRole('progressbar', { name: 'Drain of web-1', exact: true }).waitFor();
      await page.getByRole('row', { name: /\bweb-1 10.*◐ draining/ }).waitFor();
      await page.locator('#drain').getByLabel('Backend').selectOption('web-1');
      await page.locator('#drain').getByLabel('Minutes').fill('30');
      await page.getByRole('button', { name: 'Begin drain' }).click();
      await page.getByText('Done: drain web-1 in 30 minutes at most.').waitFor();
      await page.getByRole('row', { name: /\bweb-1 10.*pins left; deadline in (30|29) min/ }).waitFor();
      page.once('dialog', (dialog) => void dialog.accept());
      await page.getByRole('button', { name: 'Disable web-1', exact: true }).click();
      await page.getByText('Done: disable web-1.').waitFor();
      await page.getByRole('row', { name: /\bweb-1 10.*○ disabled/ }).waitFor();
      expect(await page.getByRole('button', { name: 'Disable web-1', exact: true }).count()).toBe(0);

      // The tab remembers it until it is locked, also when the controller does not answer for a while.
      await context.route('**/api/v1/allowed', (route) => route.abort());
      await page.reload();
      await page.getByText(/^The controller cannot be asked about the token/).waitFor();
      expect(await form.getByRole('button', { name: 'Add' }).isEnabled()).toBe(true);
      complaints = complaints.filter((text) => !text.includes('ERR_FAILED'));
      await context.unroute('**/api/v1/allowed');
      await page.reload();
      await page.getByText('Changes are possible').waitFor();
      await page.getByRole('button', { name: 'Lock changes' }).click();
      expect(await form.getByRole('button', { name: 'Add' }).isDisabled()).toBe(true);
      await page.reload();
      expect(await form.getByRole('button', { name: 'Add' }).isDisabled()).toBe(true);
      expect(complaints).toEqual([]);
    });

    it('forgets a token that the controller no longer takes', async () => {
      await unlock(scene.controller.adminToken);
      await page.getByText('Changes are possible').waitFor();
      await page.evaluate("sessionStorage.setItem('evenkeel-token', 'the-token-of-the-controller-before')");
      await page.reload();
      await page.getByText('this is not the token of this controller').waitFor();
      expect(await page.locator('#add').getByRole('button', { name: 'Add' }).isDisabled()).toBe(true);
      expect(await page.evaluate("sessionStorage.getItem('evenkeel-token')")).toBe(null);
    });

    it.each(['light', 'dark'] as const)('has nothing that axe objects to, in %s', async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      await edit('add', colorScheme === 'light' ? 'web-17' : 'web-18');
      await scene.controller.edit({ kind: 'state', vip: 'web', backend: 'web-4', state: 'draining' });
      await summary(/unstable: a change is not merged yet/);
      expect(await wrongs()).toEqual([]);
      await unlock(scene.controller.adminToken);
      await page.getByText('Changes are possible').waitFor();
      expect(await wrongs()).toEqual([]);
      // A narrow screen shows all of it, too.
      await page.setViewportSize({ width: 380, height: 800 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(380);
    });

    it('shows who fills, and who may be stopped', async () => {
      await context.route('**/api/v1/status', async (route) => {
        const response = await route.fetch();
        const status = (await response.json()) as ControllerStatus;
        const [pool] = status.engine.pools;
        const two = pool!.backends.find(({ name }) => name === 'web-2')!;
        const drain = { baseSlots: 0, namedSlots: 0, hasServerId: false, isDrained: true };
        Object.assign(two, { state: 'draining', slots: 0, share: 0, pins: 0, drain });
        const three = status.lifecycle![0]!.backends.find(({ backend }) => backend === 'web-3')!;
        Object.assign(three, { share: 0.4, fillMs: 20_000 });
        expect(() => statusSchema.parse(status)).not.toThrow();
        await route.fulfill({ response, json: status });
      });
      await page.getByRole('row', { name: /web-2 10.*◐ drained.*nothing left: may be stopped/ }).waitFor();
      await page.getByRole('row', { name: /web-3 10.*● filling 40 %.*whole in 20 s/ }).waitFor();
      expect(await wrongs()).toEqual([]);
    });

    it('says how the checks find backends', async () => {
      // The scene's servers are frames in memory: nobody can ask them; so the answer is told, in the controller's own shape.
      const checked = { stateMs: 1, verdictMs: 1, penalty: 0 };
      const health: ControllerStatus['health'] = JSON.parse(
        JSON.stringify([
          {
            pool: 'web',
            check: 'tcp',
            isPanicking: true,
            backends: [
              { ...checked, backend: 'web-1', state: 'up', verdict: 'trusted', latencyMs: 1.25 },
              {
                ...checked,
                backend: 'web-2',
                state: 'down',
                verdict: 'avoided',
                failure: 'refused: nobody there',
              },
            ],
          },
        ]),
      );
      expect(healthSchema.parse(health)).toEqual(health);
      await context.route('**/api/v1/status', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...((await response.json()) as object), health } });
      });
      await page.getByRole('row', { name: /web-1 10.*✓ up, 1\.3 ms/ }).waitFor();
      await page.getByRole('row', { name: /web-2 10.*✕ down \(refused: nobody there\), avoided/ }).waitFor();
      await page.getByRole('row', { name: /web-3 10.*not checked/ }).waitFor();
      await page.getByRole('alert').filter({ hasText: 'none of its checks is believed' }).waitFor();
    });

    it('shows IPv6 addresses, dead pools, and what is announced', async () => {
      expect(await page.getByText('Announced').isVisible()).toBe(false);
      await context.route('**/api/v1/status', async (route) => {
        const response = await route.fetch();
        const status = (await response.json()) as ControllerStatus;
        const [pool] = status.engine.pools;
        Object.assign(pool!, { address: '2001:db8::100', forwarding: 'gue', isDead: true });
        Object.assign(pool!.backends[0]!, { address: '2001:db8::11' });
        status.announcer = {
          speaker: 'BIRD',
          announced: ['10.0.1.100/32', '2001:db8::100/128'],
          problem: 'it hung up',
          isDraining: false,
          refused: [],
        };
        expect(() => statusSchema.parse(status)).not.toThrow();
        await route.fulfill({ response, json: status });
      });
      await page.getByRole('heading', { name: 'web: [2001:db8::100]:80/tcp by gue, serving' }).waitFor();
      await page.getByRole('row', { name: /web-1 \[2001:db8::11\]:8080 / }).waitFor();
      await page.locator('#topology', { hasText: '[2001:db8::100]:80/tcp' }).waitFor();
      const announced = page.locator('#announced', {
        hasText: '10.0.1.100/32 2001:db8::100/128 by BIRD',
      });
      await announced.waitFor();
      const trouble = page.getByRole('alert');
      await trouble.filter({ hasText: 'web is dead: no backend that lives has a slot.' }).waitFor();
      await trouble.filter({ hasText: 'BIRD does not announce what it should: it hung up.' }).waitFor();
      expect(await wrongs()).toEqual([]);
    });

    it('says that the controller is gone, and goes on when it is there again', async () => {
      await context.route('**/api/v1/status', (route) => route.abort());
      await page.getByRole('alert').filter({ hasText: 'The controller does not answer' }).waitFor();
      await context.unroute('**/api/v1/status');
      await page.locator('#trouble').waitFor({ state: 'hidden' });
      await summary(/^512 slots, all stable$/);
      expect(await page.locator('#charts canvas').count()).toBe(4);
      await page.locator('figcaption', { hasText: /Commit time \d/ }).waitFor();
    });
  },
);
