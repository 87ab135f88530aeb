// SPDX-License-Identifier: Apache-2.0
/** `evenkeel top` in front of a controller: on a terminal made up for the test, and on a real pseudo-terminal. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Admin } from '../../controller/adapters/http/admin.ts';
import { type AdminServer, startAdminServer } from '../../controller/adapters/http/admin-server.ts';
import { serverOptions } from '../../controller/adapters/http/testing/server-options.ts';
import { run } from '../commands.ts';
import type { LiveHandlers, LiveTerminal } from '../terminal.ts';
import { busyStatus, evenkeel, Screen } from '../testing/screen.ts';

let server: AdminServer;
let looks: number;
/** Of the status, once: the answer is one that the client cannot read. */
let breaksAt: number;

const admin = {
  status: () => {
    looks++;
    if (looks === breaksAt) return { date: null } as never;
    return { ...busyStatus, date: new Date(Date.parse(busyStatus.date) + looks * 1_000).toISOString() };
  },
} as Partial<Admin> as Admin;

beforeAll(async () => {
  server = await startAdminServer(admin, serverOptions);
});
afterAll(() => server.close());
beforeEach(() => {
  looks = 0;
  breaksAt = Number.NaN;
});

class LiveScreen extends Screen {
  handlers: LiveHandlers | undefined;
  columns = 100;
  suspended = 0;
  readonly live: LiveTerminal = {
    size: () => ({ columns: this.columns, rows: 20 }),
    open: (handlers) => {
      this.handlers = handlers;
      return () => {
        this.handlers = undefined;
      };
    },
    suspend: (onReturn) => {
      this.suspended++;
      onReturn();
    },
  };

  /** Types when the text is on the screen. */
  script(...steps: [seen: string, act: () => void][]): void {
    this.onOutput = (text) => {
      if (steps.length === 0 || !text.includes(steps[0]![0])) return;
      const [, act] = steps.shift()!;
      setImmediate(act);
    };
  }

  type(text: string): void {
    this.handlers?.onKeys(text);
  }
}

const enter = '\x1b[?1049h';
const leave = '\x1b[?1049l';
const top = (screen: Screen, ...more: string[]) => run(['top', '--delay', '0.2', ...more], screen);
const newScreen = (env: Record<string, string> = {}) =>
  new LiveScreen({ EVENKEEL_CONTROLLER: server.url, ...env });

describe('top', () => {
  it('shows, sorts, and leaves the terminal as it was', async () => {
    const screen = newScreen();
    screen.script(
      ['sort: order', () => screen.type('>')],
      ['sort: name', () => screen.type('?')],
      ['by another column', () => screen.type('?')],
      ['web-1', () => screen.type('q')],
    );
    expect(await top(screen)).toBe(0);
    expect(screen.stdout.startsWith(enter)).toBe(true);
    expect(screen.stdout.endsWith(leave)).toBe(true);
    expect(screen.handlers).toBeUndefined();
  });

  it('looks again and again, but not while it pauses', async () => {
    const screen = newScreen();
    let atPause = 0;
    screen.script(
      ['12:00:03', () => screen.type('p')],
      [
        'PAUSED',
        () => {
          atPause = looks;
          setTimeout(() => screen.type('q'), 700);
        },
      ],
    );
    await top(screen);
    // One may have been under way.
    expect(looks).toBeLessThanOrEqual(atPause + 1);
  });

  it('follows the size of the screen, and comes back from Ctrl-Z', async () => {
    const screen = newScreen();
    screen.script(
      [
        'PACKETS/S',
        () => {
          screen.columns = 30;
          screen.stdout = '';
          screen.handlers!.onResize();
        },
      ],
      ['web-2', () => screen.type('\x1a')],
      [enter, () => screen.type('q')],
    );
    await top(screen, 'web');
    expect(screen.suspended).toBe(1);
    expect(screen.stdout).not.toContain('PACKETS/S');
  });

  it.each([
    ['is told to end', (screen: LiveScreen) => screen.ending.abort()],
    ['dies of something else', (screen: LiveScreen) => screen.handlers!.onEnd()],
  ])('leaves the terminal as it was when it %s', async (_words, end) => {
    const screen = newScreen();
    const ended = top(screen);
    screen.script([
      'sort: order',
      () => {
        end(screen);
        screen.ending.abort();
      },
    ]);
    await ended;
    expect(screen.stdout.split(leave)).toHaveLength(2);
    expect(screen.handlers).toBeUndefined();
  });

  it('leaves the terminal as it was when an answer makes no sense', async () => {
    breaksAt = 2;
    const screen = newScreen();
    await expect(top(screen)).rejects.toThrow();
    expect(screen.stdout.endsWith(leave)).toBe(true);
  });

  it('needs a controller to begin with, and then waits for it to come back', async () => {
    const nobody = new LiveScreen({ EVENKEEL_CONTROLLER: '127.0.0.1:1' });
    expect(await top(nobody)).toBe(3);
    expect(nobody.stdout).toBe('');
    const other = await startAdminServer(admin, serverOptions);
    const screen = newScreen({ EVENKEEL_CONTROLLER: other.url });
    screen.script(
      ['sort: order', () => void other.close()],
      ['! no controller answers', () => screen.type('q')],
    );
    expect(await top(screen)).toBe(0);
  });

  it('has colours unless NO_COLOR is set', async () => {
    const quit = async (screen: LiveScreen) => {
      screen.script(['sort: order', () => screen.type('q')]);
      await top(screen);
      return screen.stdout;
    };
    expect(await quit(newScreen())).toContain('\x1b[32m');
    expect(await quit(newScreen({ NO_COLOR: '1' }))).not.toContain('\x1b[32m');
  });

  it('prints one page where there is no screen, or when asked to', async () => {
    const env = { EVENKEEL_CONTROLLER: server.url };
    const { exitCode, stdout } = await evenkeel('top --delay 0.2', env);
    expect(exitCode).toBe(0);
    expect(looks).toBe(2);
    expect(stdout).not.toContain('\x1b');
    expect(stdout).toMatch(/BACKEND .*PACKETS\/S[\s\S]*web-1/);
    const screen = newScreen();
    await top(screen, '--once');
    expect(screen.stdout).not.toContain('\x1b');
    const told = JSON.parse((await evenkeel('top -o json', env)).stdout);
    expect(told.pools[0].backends[0]).toMatchObject({ name: 'web-1', share: 0.75, wantedShare: 1 });
  });
});

const script = fileURLToPath(new URL('../../dist/cli/evenkeel.js', import.meta.url));
const noPty = !existsSync(script)
  ? 'nothing has been built: npm run build'
  : spawnSync('python3', ['-c', 'import pty']).status !== 0
    ? 'no python3 with pty'
    : undefined;

/** Prints, as JSON, what the program wrote and whether the terminal is as it was. */
const ptyProgram = `
import json, os, pty, select, signal, sys, termios, time
node, script, url, how = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(EVENKEEL_CONTROLLER=url, LANG='C.UTF-8', TERM='xterm')
    os.execvp(node, [node, script, 'top', '--delay', '0.2'])
before = termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO)
out, acted, end = b'', False, time.time() + 60
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece: break
        out += piece
    if not acted and b'sort: order' in out:
        acted = True
        raw = termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO)
        if how == 'SIGTERM': os.kill(pid, signal.SIGTERM)
        elif how == 'SIGHUP': os.kill(pid, signal.SIGHUP)
        else: os.write(fd, how.encode())
if time.time() >= end: os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
after = termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO)
print(json.dumps(dict(out=out.decode('utf8', 'replace'), status=os.waitstatus_to_exitcode(status), isRestored=after == before, isRaw=raw != before)))
`;

describe.skipIf(noPty !== undefined)(`top on a pseudo-terminal${noPty ? `: ${noPty}` : ''}`, () => {
  it.each([
    ['q', 0],
    ['\x03', 0],
    ['SIGTERM', 0],
    ['SIGHUP', 129],
  ])('%j ends it, and the terminal is as it was', async (how, status) => {
    const { spawn } = await import('node:child_process');
    const child = spawn('python3', ['-c', ptyProgram, process.execPath, script, server.url, how]);
    let text = '';
    let complaint = '';
    child.stdout.on('data', (piece) => (text += piece));
    child.stderr.on('data', (piece) => (complaint += piece));
    await new Promise((resolve) => child.on('close', resolve));
    expect(complaint).toBe('');
    const told = JSON.parse(text) as { out: string; status: number };
    expect(told).toMatchObject({ status, isRaw: true, isRestored: true });
    expect(told.out).toContain(enter);
    expect(told.out).toContain('● active');
    expect(told.out.trimEnd().endsWith(leave)).toBe(true);
  });
});
