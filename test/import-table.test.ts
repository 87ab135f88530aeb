// SPDX-License-Identifier: Apache-2.0
/**
 * Who may import whom. The pure parts (controller/core, switch/engine, wire) hold no clock, no dice and no I/O, so that
 * a simulator can run them unchanged; an adapter never imports another adapter.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

interface Part {
  /** A folder, its files and all below, unless a longer folder of this table fits better. */
  folder: string;
  /** Folders whose files it may import. Its own is always allowed. */
  imports: readonly string[];
  /** Packages it may import; 'node' stands for Node's own modules. */
  packages: readonly string[];
  /** No clock, no unseeded dice, no I/O. */
  pure?: true;
  /** ... but it implements interfaces that promise. */
  promises?: true;
}

const table: readonly Part[] = [
  { folder: 'wire', imports: [], packages: [], pure: true },
  { folder: 'p4', imports: [], packages: ['node'] },
  {
    folder: 'p4runtime',
    imports: [],
    packages: ['node', '@bufbuild/protobuf', '@grpc/grpc-js', 'fastest-levenshtein'],
  },
  { folder: 'controller/core', imports: [], packages: [], pure: true },
  { folder: 'controller/ports', imports: ['controller/core'], packages: [] },
  {
    folder: 'controller/group',
    imports: ['controller/core', 'controller/ports'],
    packages: [],
    pure: true,
    promises: true,
  },
  {
    folder: 'controller/prefix',
    imports: ['controller/core', 'controller/ports'],
    packages: [],
    pure: true,
    promises: true,
  },
  {
    folder: 'controller/prefix/testing',
    imports: ['controller/core', 'controller/ports', 'controller/prefix'],
    packages: [],
  },
  {
    folder: 'controller/group/testing',
    imports: ['controller/core', 'controller/ports', 'controller/group'],
    packages: ['vitest'],
  },
  {
    folder: 'controller/config',
    imports: ['controller/core', 'wire'],
    packages: ['yaml', 'zod', 'node', 'fastest-levenshtein'],
  },
  { folder: 'controller/book', imports: ['controller/core', 'controller/ports'], packages: ['node', 'zod'] },
  {
    folder: 'controller/adapters/p4runtime',
    imports: ['controller/core', 'controller/ports', 'p4runtime', 'wire'],
    packages: ['node', '@bufbuild/protobuf'],
  },
  {
    folder: 'controller/adapters/probe',
    imports: ['controller/core', 'controller/ports', 'p4runtime'],
    packages: ['node', '@bufbuild/protobuf', '@grpc/grpc-js'],
  },
  {
    folder: 'controller/adapters',
    imports: ['controller/core', 'controller/ports', 'controller/config'],
    packages: ['node', 'hono', '@hono/node-server', 'zod', 'pino'],
  },
  {
    folder: 'controller/adapters/prometheus',
    imports: ['controller/core', 'controller/ports'],
    packages: ['prom-client'],
  },
  { folder: 'controller', imports: ['controller'], packages: ['node', 'pino'] },
  {
    folder: 'controller/testing',
    imports: ['controller', 'switch', 'wire'],
    packages: ['node', 'vitest'],
  },
  { folder: 'switch/engine', imports: [], packages: ['fastest-levenshtein'], pure: true },
  { folder: 'switch/stf', imports: ['switch/engine'], packages: ['node'] },
  { folder: 'switch/ports', imports: [], packages: ['node', 'koffi'] },
  {
    folder: 'switch/server',
    imports: ['switch', 'p4runtime'],
    packages: ['node', '@bufbuild/protobuf', '@grpc/grpc-js'],
  },
  {
    folder: 'switch/server/testdata',
    imports: ['switch', 'p4runtime'],
    packages: ['node', '@bufbuild/protobuf', '@grpc/grpc-js', 'fast-check', 'vitest'],
  },
  {
    folder: 'switch/trace',
    imports: ['switch', 'p4runtime'],
    packages: ['node', '@bufbuild/protobuf', '@grpc/grpc-js'],
  },
  { folder: 'lab', imports: ['switch/ports'], packages: ['node'] },
  {
    folder: 'cli',
    imports: ['controller', 'switch', 'p4runtime'],
    packages: ['node', 'commander', '@grpc/grpc-js'],
  },
  {
    folder: 'sim',
    imports: ['controller', 'switch/engine', 'wire'],
    packages: [],
    pure: true,
    promises: true,
  },
  { folder: 'sim/run', imports: ['sim', 'controller', 'switch/engine'], packages: ['node', 'commander'] },
  {
    folder: 'demo',
    imports: ['wire', 'lab', 'controller', 'switch', 'p4runtime'],
    packages: ['node', 'commander'],
  },
  {
    folder: 'demo/dashboard',
    imports: ['wire', 'controller', 'switch'],
    packages: ['node', 'playwright-core'],
  },
  {
    folder: 'demo/load',
    imports: ['demo', 'sim', 'lab', 'controller'],
    packages: ['node'],
  },
  { folder: 'demo/kill', imports: ['demo', 'lab', 'controller'], packages: ['node'] },
  { folder: 'web', imports: [], packages: ['uplot'] },
  {
    folder: 'bench',
    imports: ['sim', 'wire', 'lab', 'controller', 'switch', 'p4runtime', 'demo'],
    packages: ['node', '@bufbuild/protobuf', '@grpc/grpc-js'],
  },
];

const impurities: readonly [name: string, pattern: RegExp][] = [
  ['the clock', /\bDate\.now\b|\bnew Date(?!\(\w)|(?<!new )\bDate\(/],
  ['performance', /\bperformance\./],
  ['Math.random', /\bMath\.random\b/],
  ['timers', /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ['process', /\bprocess\./],
  ['promises', /\b(async|await|Promise)\b/],
];

function sourcesBelow(folder: string): string[] {
  const sources: string[] = [];
  for (const name of readdirSync(join(root, folder))) {
    const path = join(folder, name);
    if (statSync(join(root, path)).isDirectory()) sources.push(...sourcesBelow(path));
    else if (path.endsWith('.ts') && !path.endsWith('.test.ts')) sources.push(path);
  }
  return sources;
}

function partOf(path: string): Part | undefined {
  return table
    .filter((part) => path.startsWith(`${part.folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0];
}

function importsOf(text: string): string[] {
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|import\s*\(?\s*'([^']+)'/g),
  ].map((match) => (match[1] ?? match[2])!);
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) return 'node';
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"])\/\/.*$/gm, '$1');
}

/** Every broken rule of one file, in words. */
function violations(path: string, text: string): string[] {
  const part = partOf(path);
  if (!part) return [`${path}: its folder is not in the import table`];
  const found: string[] = [];
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith('.')) {
      const target = relative(root, resolve(root, dirname(path), specifier));
      const allowed = [part.folder, ...part.imports].some((folder) => target.startsWith(`${folder}/`));
      const adapter = /^controller\/adapters\/[^/]+\//.exec(path)?.[0];
      const otherAdapter =
        adapter && target.startsWith('controller/adapters/') && !target.startsWith(adapter);
      if (!allowed || otherAdapter) found.push(`${path}: ${part.folder} may not import ${target}`);
    } else if (!part.packages.includes(packageOf(specifier))) {
      found.push(`${path}: ${part.folder} may not import the package ${specifier}`);
    }
  }
  if (part.pure) {
    const code = withoutComments(text);
    for (const [name, pattern] of impurities) {
      if (name === 'promises' && part.promises) continue;
      if (pattern.test(code)) found.push(`${path}: ${part.folder} is pure, and this uses ${name}`);
    }
  }
  return found;
}

describe('the import table', () => {
  const folders = [...new Set(table.map((part) => part.folder.split('/')[0]!))];
  const sources = folders.flatMap(sourcesBelow);

  it('finds the sources', () => {
    expect(sources.length).toBeGreaterThan(20);
  });

  it('holds for every source file', () => {
    expect(sources.flatMap((path) => violations(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it.each([
    ['a core that asks the clock', 'controller/core/x.ts', 'const now = Date.now();'],
    ['a core that asks for the date', 'controller/core/x.ts', 'const today = new Date();'],
    ['a core that reads files', 'controller/core/x.ts', "import fs from 'node:fs';"],
    ['an engine that knows the server', 'switch/engine/x.ts', "import { a } from '../server/device.ts';"],
    [
      'an adapter that imports another',
      'controller/adapters/http/x.ts',
      "import { a } from '../p4runtime/y.ts';",
    ],
    [
      'a switch that knows the controller',
      'switch/server/x.ts',
      "import type { Row } from '../../controller/core/row.ts';",
    ],
    ['a folder nobody planned', 'elsewhere/x.ts', ''],
  ])('is broken by %s', (_words, path, text) => {
    expect(violations(path, text)).toHaveLength(1);
  });

  it('is not broken by words in comments', () => {
    expect(violations('wire/x.ts', '// Date and process. are words here\n/* await */\n')).toEqual([]);
  });
});
