// SPDX-License-Identifier: Apache-2.0
/** `evenkeel top`: asks the controller again and again, and shows what it says. */
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import { AdminClient } from '../admin-client.ts';
import { type ClientOptions, json } from '../client-options.ts';
import { CommandError, exitCodes } from '../exit-code.ts';
import { type LiveTerminal, pause, type Terminal } from '../terminal.ts';
import { glyphsFor } from './glyphs.ts';
import { nextRates, type Rates } from './rates.ts';
import { AlternateScreen } from './screen.ts';
import { initialSettings, keysOf, pressed, type Settings } from './settings.ts';
import { paint } from './text.ts';
import { type Layout, topLayout } from './view.ts';

export interface TopOptions extends ClientOptions {
  /** Seconds. */
  delay: number;
  vip?: string;
  once?: true;
}

/** Of a page that is printed; nobody knows how wide the paper is. */
const printedColumns = 120;

/** @throws CommandError */
export async function runTop(options: TopOptions, terminal: Terminal): Promise<void> {
  const client = new AdminClient(options, terminal.env);
  const { live } = terminal;
  const first = await client.status();
  if (live === undefined || options.once || options.output === 'json')
    await printOnce(first, client, options, terminal);
  else await new Top(first, client, options, terminal, live).run();
}

/** Two looks: what happens in a second takes a second to see. */
async function printOnce(
  first: ControllerStatus,
  client: AdminClient,
  options: TopOptions,
  terminal: Terminal,
): Promise<void> {
  let rates = nextRates(undefined, first);
  await pause(Math.max(1_100, options.delay * 1_000), terminal.stop);
  if (terminal.stop.aborted) return;
  const status = await client.status();
  rates = nextRates(rates, status);
  if (options.output === 'json') {
    terminal.out(json(plain(status, rates)));
    return;
  }
  const settings = { ...initialSettings, pool: options.vip };
  const glyphs = glyphsFor(terminal.env);
  const columns = terminal.live?.size().columns ?? printedColumns;
  const { lines } = topLayout({
    status,
    rates,
    settings,
    glyphs,
    columns,
    rows: undefined,
    problem: undefined,
  });
  for (const line of lines) terminal.out(`${paint(line, 'plain')}\n`);
}

/** What a program cannot make of one status. */
function plain(
  { date, engine }: ControllerStatus,
  { perSecond, noticesPerSecond, admittedPerSecond }: Rates,
) {
  const of = (key: string) => {
    const { packets, bytes } = perSecond.get(key) ?? {};
    return { packetsPerSecond: packets ?? null, bytesPerSecond: bytes ?? null };
  };
  return {
    date,
    noticesPerSecond: noticesPerSecond ?? null,
    admittedPerSecond: admittedPerSecond ?? null,
    pools: engine.pools.map((pool) => ({
      name: pool.name,
      ...of(`pool ${pool.id}`),
      backends: pool.backends.map(({ name, id, state, share, wantedSlots, pins }) => ({
        name,
        state,
        share,
        wantedShare: wantedSlots / pool.slotCount,
        pins,
        ...of(`backend ${id}`),
      })),
    })),
  };
}

class Top {
  private readonly client: AdminClient;
  private readonly terminal: Terminal;
  private readonly live: LiveTerminal;
  private readonly screen: AlternateScreen;
  private readonly delayMs: number;
  private readonly mode: 'monochrome' | 'colour';
  private status: ControllerStatus;
  private rates: Rates;
  private settings: Settings;
  private problem: string | undefined;
  private layout: Layout = { lines: [], page: 0, scrollMax: 0 };
  private quit: AbortController = new AbortController();

  constructor(
    status: ControllerStatus,
    client: AdminClient,
    { delay, vip }: TopOptions,
    terminal: Terminal,
    live: LiveTerminal,
  ) {
    this.client = client;
    this.terminal = terminal;
    this.live = live;
    this.screen = new AlternateScreen(live, (text) => terminal.out(text));
    this.delayMs = delay * 1_000;
    // https://no-color.org: set, and not empty.
    this.mode = terminal.env.NO_COLOR || terminal.env.TERM === 'dumb' ? 'monochrome' : 'colour';
    this.status = status;
    this.rates = nextRates(undefined, status);
    this.settings = { ...initialSettings, pool: vip };
  }

  async run(): Promise<void> {
    const end = (): void => this.quit.abort();
    this.terminal.stop.addEventListener('abort', end, { once: true });
    if (this.terminal.stop.aborted) end();
    try {
      this.enter();
      while (!this.quit.signal.aborted) {
        await pause(this.delayMs, this.quit.signal);
        if (!this.quit.signal.aborted && !this.settings.isPaused) await this.look();
      }
    } finally {
      this.screen.leave();
      this.terminal.stop.removeEventListener('abort', end);
    }
  }

  private enter(): void {
    this.screen.enter({ onKeys: (text) => this.press(text), onResize: () => this.draw() });
    this.draw();
  }

  private async look(): Promise<void> {
    try {
      const status = await this.client.status();
      // Somebody who paused meanwhile wants to see what he saw.
      if (this.settings.isPaused) return;
      this.status = status;
      this.rates = nextRates(this.rates, status);
      this.problem = undefined;
    } catch (error) {
      // A controller that is being restarted comes back.
      if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unreachable) throw error;
      this.problem = error.message.split('\n')[0]!;
    }
    this.draw();
  }

  private press(text: string): void {
    for (const key of keysOf(text)) {
      if (key === 'suspend') {
        this.screen.leave();
        this.live.suspend(() => this.enter());
        return;
      }
      const { page, scrollMax } = this.layout;
      const pools = this.status.engine.pools.map(({ name }) => name);
      this.settings = pressed(this.settings, key, { pools, page, scrollMax });
    }
    if (this.settings.hasQuit) this.quit.abort();
    else this.draw();
  }

  private draw(): void {
    const { status, rates, settings, problem } = this;
    const glyphs = glyphsFor(this.terminal.env);
    this.layout = topLayout({ status, rates, settings, glyphs, problem, ...this.live.size() });
    this.settings = { ...settings, scroll: Math.min(settings.scroll, this.layout.scrollMax) };
    this.screen.draw(this.layout.lines.map((line) => paint(line, this.mode)));
  }
}
