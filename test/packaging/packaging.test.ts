// SPDX-License-Identifier: Apache-2.0
/** What is installed: the package has all that it needs and no more, and what stands in packaging/ is sound. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../cli/commands.ts';
import { notifyReady } from '../../cli/notify.ts';
import { Screen } from '../../cli/testing/screen.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'packaging');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const notBuilt = existsSync(join(root, 'dist/cli/evenkeel.js'))
  ? ''
  : ': nothing has been built: npm run build';

describe.skipIf(notBuilt !== '')(`the package${notBuilt}`, () => {
  const packed = notBuilt
    ? []
    : (
        JSON.parse(
          execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
            cwd: root,
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
          }),
        ) as [{ files: { path: string }[] }]
      )[0].files.map(({ path }) => path);
  const has = new Set(packed);

  /** Files of the package that a program reaches by import. */
  function reached(start: readonly string[]): Set<string> {
    const seen = new Set<string>();
    const queue = [...start];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      if (!existsSync(join(root, path))) continue;
      const text = read(path);
      for (const [, from] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g))
        queue.push(normalize(join(dirname(path), from!)));
      // Workers are started by their file.
      for (const [, name] of text.matchAll(/'\.\/([\w-]+worker[\w-]*)'|`\.\/([\w-]+)\.\$\{/g))
        if (name) queue.push(join(dirname(path), `${name}.js`));
    }
    return seen;
  }

  it('has everything that its programs import', () => {
    const files = reached(['dist/cli/evenkeel.js', 'dist/cli/evenkeel-switch-grpc.js']);
    expect(files.size).toBeGreaterThan(150);
    expect([...files].filter((path) => !has.has(path))).toEqual([]);
  });

  it.each([
    'dist/switch/server/pipeline-worker.js',
    'dist/web/main.js',
    'web/index.html',
    'p4/build/evenkeel.json',
    'p4/build/evenkeel.p4info.txtpb',
    'p4/build/manifest.json',
    'docs/man/evenkeel.1',
    'docs/example.yaml',
    'packaging/evenkeel.service',
    'LICENSE',
    'README.md',
  ])('has %s', (path) => {
    expect(has).toContain(path);
  });

  it('has no tests, no maps, no sources and nothing of the workshop', () => {
    const unwanted =
      /\.test\.|\.map$|\/testing\/|\/testdata\/|\.ts$|\.p4$|^dist\/(bench|demo|sim|lab|p4)\/|^(test|topo)\//;
    expect(packed.filter((path) => unwanted.test(path))).toEqual([]);
    const bytes = packed.reduce((sum, path) => sum + readFileSync(join(root, path)).length, 0);
    expect(bytes).toBeLessThan(6_000_000);
  });
});

const units = readdirSync(folder).filter((name) => name.endsWith('.service'));
const noSystemd =
  spawnSync('systemd-analyze', ['--version']).status === 0
    ? ''
    : ': there is no systemd-analyze (Debian: systemd)';

describe('the units', () => {
  it('are three', () => {
    expect(units).toEqual(['evenkeel-controller.service', 'evenkeel-switch.service', 'evenkeel.service']);
  });

  it.skipIf(noSystemd !== '').each(units)(`%s is understood by systemd${noSystemd}`, (unit) => {
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(folder, unit)], {
      encoding: 'utf8',
    });
    // Of units of the machine it complains, too.
    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes(unit));
    expect(ours).toEqual([]);
  });

  it.skipIf(noSystemd !== '').each(units)(`%s is exposed to little${noSystemd}`, (unit) => {
    const { stdout } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', join(folder, unit)],
      {
        encoding: 'utf8',
      },
    );
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    expect(exposure).toBeLessThan(unit.includes('controller') ? 2 : 3);
  });

  it.each(units)('%s starts a command that there is, with options that it has', async (unit) => {
    const [, command, rest] = /^ExecStart=\/usr\/bin\/env evenkeel (\S+) (.*)$/m.exec(
      read(`packaging/${unit}`),
    )!;
    const screen = new Screen();
    expect(await run([command!, '--help'], screen)).toBe(0);
    for (const [option] of rest!.matchAll(/(?<=^|\s)--?[a-z-]+/g)) expect(screen.stdout).toContain(option);
  });

  it.each(units)('%s gives no capability but CAP_NET_RAW, and none to a controller alone', (unit) => {
    const text = read(`packaging/${unit}`);
    const granted = /^CapabilityBoundingSet=(.*)$/m.exec(text)?.[1];
    expect(granted).toBe(unit.includes('controller') ? '' : 'CAP_NET_RAW');
    expect(/^AmbientCapabilities=(.*)$/m.exec(text)?.[1] ?? '').toBe(granted);
  });
});

const noReceiver =
  spawnSync('systemd-notify', ['--version']).status !== 0
    ? ': there is no systemd-notify'
    : spawnSync('python3', ['--version']).status !== 0
      ? ': there is no python3 to receive it'
      : '';

describe('readiness', () => {
  it.skipIf(noReceiver !== '')(`is told to systemd${noReceiver}`, async () => {
    const place = mkdtempSync(join(tmpdir(), 'evenkeel-notify-'));
    const path = join(place, 'socket');
    const receiver = spawn('python3', [
      '-c',
      'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\ns.settimeout(60)\n' +
        'print("bound",flush=True)\nprint(s.recv(4096).decode(),flush=True)',
      path,
    ]);
    let told = '';
    await new Promise<void>((resolve) =>
      receiver.stdout.on('data', (piece) => {
        told += piece;
        if (told === 'bound\n') resolve();
      }),
    );
    const ended = new Promise((resolve) => receiver.on('close', resolve));
    await notifyReady({ NOTIFY_SOCKET: path, PATH: process.env.PATH });
    await ended;
    rmSync(place, { recursive: true });
    expect(told).toContain('READY=1');
  });

  it('is told to nobody where nobody waits', async () => {
    await notifyReady({});
    // There is no such program on this path: it does not matter.
    await notifyReady({ NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' });
  });
});

describe('the Containerfile', () => {
  const stages = read('packaging/Containerfile')
    .replace(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split(/^(?=FROM )/m)
    .map((stage) => stage.trim().split('\n'));
  const last = stages.at(-1)!;
  const lines = stages.flat().filter((line) => line !== '');

  it('knows only instructions that there are, and names its images with a tag', () => {
    for (const line of lines)
      expect(line).toMatch(/^(FROM|WORKDIR|COPY|RUN|USER|VOLUME|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD) /);
    for (const line of lines.filter((each) => each.startsWith('FROM ')))
      expect(line).toMatch(/^FROM node:\d+-slim( AS \w+)?$/);
  });

  it('runs as nobody in particular, with a health check, without a shell', () => {
    expect(last).toContain('USER node');
    for (const name of ['HEALTHCHECK', 'ENTRYPOINT', 'CMD']) {
      const line = last.find((each) => each.startsWith(name))!;
      const list = JSON.parse(/\[.*\]$/.exec(line)![0]) as string[];
      expect(list.every((word) => typeof word === 'string')).toBe(true);
    }
    expect(last.join('\n')).toContain('/healthz');
  });

  it('runs no install scripts, and leaves the tools of the workshop behind', () => {
    for (const line of lines.filter((each) => each.includes('npm ci')))
      expect(line).toContain('--ignore-scripts');
    expect(last.filter((line) => line.startsWith('COPY'))).toEqual([
      'COPY --from=build /opt/evenkeel /opt/evenkeel',
    ]);
    expect(lines.some((line) => line.includes('npm ci --omit=dev'))).toBe(true);
  });

  it('starts a command that there is', async () => {
    const words = JSON.parse(last.find((line) => line.startsWith('CMD'))!.slice(4)) as string[];
    const screen = new Screen();
    expect(await run([words[0]!, '--help'], screen)).toBe(0);
    for (const word of words.filter((each) => each.startsWith('-'))) expect(screen.stdout).toContain(word);
  });
});
