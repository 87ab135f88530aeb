// SPDX-License-Identifier: Apache-2.0
/** The alternate screen of a terminal: nothing of what stood there before is lost, and the cursor comes back whatever happens. */
import type { LiveTerminal } from '../terminal.ts';

const enterText = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const leaveText = '\x1b[?7h\x1b[?25h\x1b[?1049l';

export interface ScreenHandlers {
  onKeys: (text: string) => void;
  onResize: () => void;
}

export class AlternateScreen {
  private readonly live: LiveTerminal;
  private readonly out: (text: string) => void;
  private close: (() => void) | undefined;

  constructor(live: LiveTerminal, out: (text: string) => void) {
    this.live = live;
    this.out = out;
  }

  enter(handlers: ScreenHandlers): void {
    // Also when the process ends by an error that nobody catches.
    this.close = this.live.open({ ...handlers, onEnd: () => this.leave() });
    this.out(enterText);
  }

  /** Every line is written over what stood there: nothing flickers. */
  draw(lines: readonly string[]): void {
    if (this.close === undefined) return;
    this.out(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }

  leave(): void {
    if (this.close === undefined) return;
    const close = this.close;
    this.close = undefined;
    this.out(leaveText);
    close();
  }
}
