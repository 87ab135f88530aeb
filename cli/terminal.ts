// SPDX-License-Identifier: Apache-2.0
/** The world as a command sees it. */

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** stdout is a screen. */
  isScreen: boolean;
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the command is to end: SIGINT, SIGTERM. */
  stop: AbortSignal;
  /** Calls back on SIGHUP. */
  onHangup(callback: () => void): void;
  /** Whoever calls it goes on when nobody reads what is said, or it cannot be written. Others are told to stop. */
  outliveReaders?(): void;
  /** Undefined unless somebody sits there: both ends are a terminal. */
  live?: LiveTerminal;
}

export interface LiveHandlers {
  /** What the keyboard sends, unread by the terminal. */
  onKeys(text: string): void;
  onResize(): void;
  /** The process ends, whatever the reason: the last chance to leave the terminal as it was. */
  onEnd(): void;
}

export interface LiveTerminal {
  size(): { columns: number; rows: number };
  /** @returns ends it */
  open(handlers: LiveHandlers): () => void;
  /** Hands the terminal back to the shell, as Ctrl-Z does; calls back when the shell gives it again. */
  suspend(onReturn: () => void): void;
}

/** @throws Error from the event loop when stdout cannot be written, unless it is only that its reader has gone */
export function processTerminal(): Terminal {
  const stop = new AbortController();
  let isOutlived = false;
  process.stdout.on('error', (error: Error & { code?: string }) => {
    if (isOutlived) return;
    // `evenkeel status --watch | head`: enough has been seen.
    if (error.code !== 'EPIPE') throw error;
    stop.abort();
  });
  // Nothing is left to complain by.
  process.stderr.on('error', () => {});
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      // Who insists does not wait for an orderly end.
      if (stop.signal.aborted) process.exit(130);
      stop.abort();
    });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isScreen: process.stdout.isTTY === true,
    env: process.env,
    stop: stop.signal,
    onHangup: (callback) => void process.on('SIGHUP', callback),
    outliveReaders: () => {
      isOutlived = true;
    },
    ...(process.stdin.isTTY && process.stdout.isTTY && { live: liveTerminal() }),
  };
}

function liveTerminal(): LiveTerminal {
  const { stdin, stdout } = process;
  return {
    // A terminal that does not know its size says 0.
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    open({ onKeys, onResize, onEnd }) {
      // A terminal that is closed takes the process with it; one that is not gets back what it had.
      const hangUp = (): never => process.exit(129);
      const listen = (bytes: Buffer): void => onKeys(bytes.toString('utf8'));
      stdin.setRawMode(true);
      stdin.on('data', listen).resume();
      stdout.on('resize', onResize);
      process.on('exit', onEnd).on('SIGHUP', hangUp);
      return () => {
        process.off('exit', onEnd).off('SIGHUP', hangUp);
        stdout.off('resize', onResize);
        stdin.off('data', listen).pause();
        stdin.setRawMode(false);
      };
    },
    suspend(onReturn) {
      process.kill(process.pid, 'SIGTSTP');
      // Whether it was stopped and has been continued, or there is no shell that could.
      setTimeout(onReturn, 20);
    },
  };
}

/** Resolves after the delay, or as soon as the command is to end. */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (stop.aborted) done();
    else stop.addEventListener('abort', done);
  });
}

export function stopped(stop: AbortSignal): Promise<void> {
  return stop.aborted
    ? Promise.resolve()
    : new Promise((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
}
