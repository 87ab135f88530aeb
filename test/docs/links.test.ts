// SPDX-License-Identifier: Apache-2.0
/** Links of the documentation lead somewhere: to files that are there, and to headings that they have. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorOf } from '../../controller/config/reference/reference.ts';
import { pages, root } from './blocks.ts';

const decisions = readdirSync(join(root, 'docs/decisions'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs/decisions', name));
const all = [...pages(), ...decisions, 'CHANGELOG.md'];

const withoutBlocks = (text: string): string =>
  text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** Of headings as GitHub shows them: a second one of a name ends in -1. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const headings = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/^#+ (.*)$/gm);
  for (const [, heading] of headings) {
    const anchor = anchorOf(heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** @returns what is wrong with the link, or undefined */
function brokenLink(file: string, link: string): string | undefined {
  if (/^(https?|mailto):/.test(link)) return undefined;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(root, file) : resolve(root, dirname(file), path);
  if (!existsSync(target)) return `${file}: ${link}: there is no such file`;
  if (anchor === undefined || statSync(target).isDirectory()) return undefined;
  if (anchorsOf(readFileSync(target, 'utf8')).has(anchor)) return undefined;
  return `${file}: ${link}: ${relative(root, target)} has no such heading`;
}

function linksOf(text: string): string[] {
  return [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
}

describe('links', () => {
  it.each(all)('of %s lead somewhere', (file) => {
    const links = linksOf(readFileSync(join(root, file), 'utf8'));
    expect(links.map((link) => brokenLink(file, link)).filter((wrong) => wrong !== undefined)).toEqual([]);
  });

  it('of pictures have words for who does not see them', () => {
    const bare = all.flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/!\[\s*\]\(([^)]*)\)/g)].map(
        ([, link]) => `${file}: ${link}`,
      ),
    );
    expect(bare).toEqual([]);
  });

  it('to nowhere are found', () => {
    expect(brokenLink('README.md', 'docs/nothing.md')).toContain('no such file');
    expect(brokenLink('README.md', '#nothing')).toContain('no such heading');
    expect(brokenLink('README.md', 'docs/configuration.md#vipshealth')).toBeUndefined();
    expect(linksOf('[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n')).toEqual(['b.md']);
  });

  it('of the index name every page', () => {
    const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
    const own = readdirSync(join(root, 'docs')).filter(
      (name) => /\.(md|yaml|json)$/.test(name) && name !== 'README.md',
    );
    const missing = own.filter((name) => !index.includes(`](${name})`));
    expect(missing, 'pages that docs/README.md does not name').toEqual([]);
  });
});
