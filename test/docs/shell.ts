// SPDX-License-Identifier: Apache-2.0
/**
 * A shell for the commands of the documentation. `evenkeel` runs in this process, against the controller of the page; commands that
 * would take minutes, root or the network are looked at instead: does the target exist, is the option known?
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { delimiter, join } from 'node:path';
import { run } from '../../cli/commands.ts';
import { Screen } from '../../cli/testing/screen.ts';
import { root } from './blocks.ts';

export interface Outcome {
  code: number;
  output: string;
}

/** Of a page: a folder with the repository's files in it and those that the page writes, and a controller. */
export interface ShellWorld {
  folder: string;
  /** http://127.0.0.1:PORT */
  adminUrl(): Promise<{ url: string; token: string }>;
}

/** So long may one command take; the first of a page starts its controller. A busy machine is no mistake of a page. */
export const commandMs = 60_000;

/** Of an answer of the page's controller. */
const curlMaxS = 50;

/** What does not end by itself, or not within a session timeout: only its options are looked at. */
const processes = new Set(['up', 'controller', 'switch', 'replace', 'top']);
const endless = /^(-w|--watch|-f|--follow|--live|--wait)$/;

/** Programs of others that are looked at and not run. */
const lookedAt = [
  'make',
  'npm',
  'npx',
  'sudo',
  'python3',
  'node',
  'git',
  'evenkeel',
  'evenkeel-switch-grpc',
  'curl',
];

export class PageShell {
  private readonly world: ShellWorld;
  private readonly server: Server;
  private readonly ready: Promise<void>;
  /** Of commands that run. */
  private readonly screens = new Set<Screen>();

  constructor(world: ShellWorld) {
    this.world = world;
    const { folder } = world;
    for (const name of readdirSync(root))
      if (!name.startsWith('.') && name !== 'evenkeel.yaml')
        symlinkSync(join(root, name), join(folder, name));
    const bin = join(folder, '.bin');
    mkdirSync(bin);
    // Ours, whatever kind of modules the repository has.
    writeFileSync(join(bin, 'package.json'), '{}');
    for (const name of lookedAt) {
      writeFileSync(join(bin, name), shim(join(folder, '.socket'), name));
      chmodSync(join(bin, name), 0o755);
    }
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('data', (data) => (text += data));
      socket.on('end', () => {
        const { name, args } = JSON.parse(text) as { name: string; args: string[] };
        this.answer(name, args).then(
          (outcome) => socket.end(JSON.stringify(outcome)),
          (error: unknown) => socket.end(JSON.stringify({ code: 99, output: String(error) })),
        );
      });
    });
    this.ready = new Promise((resolve) => this.server.listen(join(folder, '.socket'), resolve));
  }

  async run(line: string): Promise<Outcome> {
    await this.ready;
    const child: ChildProcess = spawn('bash', ['-c', line], {
      cwd: this.world.folder,
      env: {
        ...{ HOME: this.world.folder, LANG: 'C.UTF-8', EVENKEEL_TOKEN: 'a-token-of-the-documentation' },
        PATH: `${join(this.world.folder, '.bin')}${delimiter}${process.env.PATH}`,
      },
      timeout: commandMs,
    });
    let output = '';
    child.stdout?.on('data', (data) => (output += data));
    child.stderr?.on('data', (data) => (output += data));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? 98, output }));
    });
  }

  async close(): Promise<void> {
    for (const { ending } of this.screens) ending.abort();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(name: string, args: string[]): Promise<Outcome> {
    switch (name) {
      case 'evenkeel':
        return this.evenkeel(args);
      case 'evenkeel-switch-grpc':
        return optionsKnown('switch', args);
      case 'node':
        if (args[0] === 'dist/cli/evenkeel.js') return this.evenkeel(args.slice(1));
        return said(
          existsSync(join(root, (args[0] ?? '').replace(/^dist\//, '').replace(/\.js$/, '.ts'))),
          `${args[0]}: built of no source`,
        );
      case 'make':
        return make(args);
      case 'npm':
      case 'npx':
        return npm(name, args);
      case 'git':
        return said(args[0] === 'clone', `git ${args[0]} is not known here`);
      case 'sudo':
        return this.sudo(args);
      case 'mn':
        return mininet(args);
      case 'apt-get':
        return said(args[0] === 'install', `apt-get ${args[0]} is not known here`);
      case 'python3':
        return script(args);
      case 'curl':
        return this.curl(args);
      default:
        return { code: 97, output: `${name} is neither run nor looked at: <!-- not run: why -->` };
    }
  }

  /** Variables come before the command. */
  private sudo(args: readonly string[]): Promise<Outcome> {
    const [name = '', ...rest] = args.slice(args.findIndex((each) => !/^\w+=/.test(each)));
    return this.answer(name, rest);
  }

  private async evenkeel(args: string[]): Promise<Outcome> {
    const [command = ''] = args;
    if (processes.has(command) || args.some((each) => endless.test(each)))
      return optionsKnown(command, args.slice(1));
    const asksController = !['check', 'schema', 'trace', 'doctor', '', '--help', '--version'].includes(
      command,
    );
    const isFar = args.includes('--controller') || args.includes('--help');
    const { url, token } = asksController && !isFar ? await this.world.adminUrl() : { url: '', token: '' };
    const screen = new Screen(url === '' ? {} : { EVENKEEL_CONTROLLER: url, EVENKEEL_TOKEN: token });
    this.screens.add(screen);
    const code = await inFolder(this.world.folder, () => run(args, screen));
    this.screens.delete(screen);
    return { code, output: screen.stdout + screen.stderr };
  }

  /** The real one, to the page's own controller; of a stream the first is heard. */
  private async curl(args: string[]): Promise<Outcome> {
    const { url } = await this.world.adminUrl();
    const here = args.map((each) => each.replace('http://127.0.0.1:9580', url));
    const child = spawn('curl', ['--fail-with-body', '--max-time', String(curlMaxS), ...here]);
    let output = '';
    const isStream = args.some((each) => /^-\w*N/.test(each));
    child.stdout.on('data', (data) => {
      output += data;
      if (isStream) child.kill();
    });
    child.stderr.on('data', (data) => (output += data));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code: isStream && signal ? 0 : (code ?? 98), output }));
    });
  }
}

/** Commands find files where the page is. */
async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await work();
  } finally {
    process.chdir(before);
  }
}

async function optionsKnown(command: string, args: readonly string[]): Promise<Outcome> {
  const screen = new Screen();
  const code = await run([command, '--help'], screen);
  const unknown = args
    .filter((each) => /^--?[a-z]/.test(each))
    .filter((option) => !new RegExp(`(^|[\\s,])${option}(?![\\w-])`, 'm').test(screen.stdout));
  if (unknown.length > 0) return { code: 2, output: `evenkeel ${command} has no ${unknown.join(', ')}` };
  return { code, output: '' };
}

/** Targets must be there, and read the variables. What follows ARGS must be known to the program that the target starts. */
function make(args: readonly string[]): Outcome {
  const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
  const [target = ''] = args.filter((arg) => !arg.includes('='));
  const [, recipe] = new RegExp(`^${target}:.*\\n((?:\\t.*\\n)*)`, 'm').exec(makefile) ?? [];
  // In an exercise of p4lang/tutorials, whose Makefile has it.
  if (target === '' && args.every((arg) => arg.startsWith('BMV2_SWITCH_EXE=')))
    return { code: 0, output: '' };
  if (recipe === undefined) return { code: 2, output: `make has no target '${target}'` };
  for (const arg of args.filter((each) => each.includes('='))) {
    const [, variable, value = ''] = /^(\w+)=(.*)$/.exec(arg) ?? [];
    if (!new RegExp(`\\$\\((if \\$\\()?${variable}\\)`).test(recipe))
      return { code: 2, output: `make ${target} reads no ${variable}` };
    for (const [, option] of value.matchAll(/--([a-z0-9-]+)/g))
      if (
        !programOf(recipe).some((source) =>
          new RegExp(`(--|['"])${option}\\b|\\b${option}: ?\\{`).test(source),
        )
      )
        return { code: 2, output: `make ${target} has no --${option}` };
  }
  return { code: 0, output: '' };
}

/** The texts of the folder of the program that a recipe starts. */
function programOf(recipe: string): string[] {
  const [, path = ''] = /^\tnode dist\/(\S+)\/[^/]+\.js/m.exec(recipe) ?? [];
  const folder = join(root, path);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

function npm(name: string, args: readonly string[]): Outcome {
  const [command, what = ''] = args;
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  if (name === 'npx')
    return said(existsSync(join(root, 'node_modules/.bin', command ?? '')), `npx finds no ${command}`);
  if (command === 'run') return said(what in scripts, `there is no script ${what}`);
  return said(
    ['ci', 'link', 'install', 'test', 'pack'].includes(command ?? ''),
    `npm ${command} is not known here`,
  );
}

function script([path = '', ...args]: readonly string[]): Outcome {
  if (path.startsWith('-')) return { code: 0, output: '' };
  if (!existsSync(join(root, path))) return { code: 2, output: `there is no ${path}` };
  const folder = join(root, path, '..');
  const texts = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.py'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
  const unknown = args.filter(
    (each) => each.startsWith('--') && !texts.some((text) => text.includes(each.split('=')[0]!)),
  );
  return said(unknown.length === 0, `${path} has no ${unknown.join(', ')}`);
}

/** What `--custom` brings must be there: the topology, unless it is Mininet's own, and the switch. */
function mininet(args: readonly string[]): Outcome {
  const after = (option: string): string => (args[args.indexOf(option) + 1] ?? '').split(',')[0]!;
  const file = join(root, after('--custom'));
  if (!existsSync(file)) return { code: 2, output: `there is no ${after('--custom')}` };
  const text = readFileSync(file, 'utf8');
  const [topology, target] = [after('--topo'), after('--switch')];
  if (!['single', 'linear'].includes(topology) && !text.includes(`topos = {"${topology}":`))
    return { code: 2, output: `${after('--custom')} has no topology ${topology}` };
  return said(['embedded', 'bmv2'].includes(target), `there is no switch ${target}`);
}

const said = (isRight: boolean, wrong: string): Outcome =>
  isRight ? { code: 0, output: '' } : { code: 2, output: wrong };

/** A program that asks this process. */
const shim = (socket: string, name: string): string => `#!${process.execPath}
const socket = require('node:net').connect(${JSON.stringify(socket)});
let text = '';
socket.on('data', (data) => (text += data));
socket.on('end', () => {
  const { code, output } = JSON.parse(text);
  process.stdout.write(output, () => process.exit(code));
});
socket.end(JSON.stringify({ name: ${JSON.stringify(name)}, args: process.argv.slice(2) }));
`;
