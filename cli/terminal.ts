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
}

export function processTerminal(): Terminal {
  const stop = new AbortController();
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
