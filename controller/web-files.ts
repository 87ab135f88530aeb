// SPDX-License-Identifier: Apache-2.0
/** The files of the dashboard (web/): its pages as they are, its programs as they were compiled, and the one library it needs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import type { PageFile, PageFiles } from './adapters/http/pages.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** @returns no files when the dashboard has not been built */
export function loadWebFiles(): PageFiles {
  // From the sources, and from dist/.
  const roots = [join(import.meta.dirname, '..'), join(import.meta.dirname, '../..')];
  const pageFolder = roots
    .map((root) => join(root, 'web'))
    .find((web) => existsSync(join(web, 'index.html')));
  const programFolder = roots
    .flatMap((root) => [join(root, 'web'), join(root, 'dist/web')])
    .find((web) => existsSync(join(web, 'main.js')));
  if (pageFolder === undefined || programFolder === undefined) return new Map();
  const charts = dirname(createRequire(import.meta.url).resolve('uplot'));
  return new Map([
    ...filesOf(pageFolder, ['.html', '.css', '.svg']),
    ...filesOf(programFolder, ['.js']),
    ['uplot.js', file(join(charts, 'uPlot.esm.js'))],
    ['uplot.css', file(join(charts, 'uPlot.min.css'))],
  ]);
}

function filesOf(folder: string, extensions: readonly string[]): [name: string, file: PageFile][] {
  return readdirSync(folder)
    .filter((name) => extensions.includes(extname(name)))
    .map((name) => [name, file(join(folder, name))]);
}

function file(path: string): PageFile {
  return { type: types[extname(path)]!, body: new Uint8Array(readFileSync(path)) };
}
