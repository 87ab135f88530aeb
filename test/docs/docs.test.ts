// SPDX-License-Identifier: Apache-2.0
/**
 * What the documentation shows is run: commands against a controller and a switch of their page, configurations through the parser
 * and the schema for editors, outputs against what comes out. A block that cannot be run says why: `<!-- not run: why -->`.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv, type AnySchema } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { configJsonSchema } from '../../controller/config/json-schema.ts';
import { parseConfig } from '../../controller/config/parse.ts';
import { formatProblem } from '../../controller/config/problem.ts';
import { type Block, blocksOf, type Command, commandsOf, isShown, pages, root } from './blocks.ts';
import { type Lab, startLab } from './lab.ts';
import { commandMs, PageShell } from './shell.ts';
import { completed } from './yaml-block.ts';

const validate = new Ajv({ allErrors: true, allowUnionTypes: true, strictRequired: false }).compile(
  configJsonSchema() as AnySchema,
);
/** What a command says soon, it need not say at once. */
const soonMs = 45_000;

describe.each(pages())('%s', (file) => {
  const blocks = blocksOf(file);
  const run = blocks.filter(({ notRun }) => notRun === undefined);
  let folder: string;
  let shell: PageShell;
  let lab: Promise<Lab> | undefined;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'evenkeel-docs-'));
    shell = new PageShell({
      folder,
      adminUrl: async () => {
        lab ??= startLab(join(folder, 'evenkeel.yaml'));
        const { controller } = await lab;
        return { url: controller.adminUrl, token: controller.adminToken };
      },
    });
    copyFileSync(join(root, 'docs', 'example.yaml'), join(folder, 'evenkeel.yaml'));
  });
  afterAll(async () => {
    await (await lab)?.close();
    await shell.close();
    rmSync(folder, { recursive: true });
  });

  it('says of each block what it is', () => {
    const unnamed = run.filter(({ language }) => !['sh', 'console', 'yaml', 'json'].includes(language));
    const remedy = 'a language that is run (sh, console, yaml, json), or <!-- not run: why --> before it';
    expect(
      unnamed.map((block) => `${file}:${block.line}`),
      remedy,
    ).toEqual([]);
  });

  it.each(run.map((block) => ({ block, at: `${file}:${block.line}` })))(
    '$at',
    async ({ block }) => {
      if (block.writes !== undefined) writeFileSync(join(folder, block.writes), block.text);
      if (block.language === 'yaml') checkYaml(block);
      else if (block.language === 'json') JSON.parse(block.text);
      else for (const command of commandsOf(block)) await tryOut(command);
    },
    2 * commandMs,
  );

  function checkYaml({ text, writes }: Block): void {
    const whole = writes === undefined ? stringify(completed(text)) : text;
    const parsed = parseConfig(whole);
    // A part of a file may well have no route to somebody.
    const problems = 'problems' in parsed ? parsed.problems : [];
    expect(problems.map((problem) => formatProblem(problem, file))).toEqual([]);
    validate(completed(text));
    expect(validate.errors).toBeNull();
  }

  async function tryOut({ line, expected }: Command): Promise<void> {
    const isQuestion = /^evenkeel (status|events|explain|top|doctor|plan|why)/.test(line);
    const until = Date.now() + soonMs;
    for (;;) {
      const { code, output } = await shell.run(line);
      const isRight = code === 0 && (expected === undefined || isShown(expected, output));
      if (isRight) return;
      if (!isQuestion || Date.now() > until) {
        expect({ line, code, output: output.trim() }).toEqual({
          line,
          code: 0,
          output: expected ?? output.trim(),
        });
        expect.fail(`${line} prints something else`);
      }
    }
  }
});

describe('an output', () => {
  it.each([
    ['a b', 'a    b\n', true],
    ['a ... d', 'a b c d', true],
    ['a\n...\nd', 'a\nb\nc\nd', true],
    ['a\n...', 'a\nb', true],
    ['a\nd', 'a\nb\nd', false],
    ['1.2', '1x2', false],
    ['done', 'nothing to do', false],
  ])('%j is what is shown of %j: %s', (expected, actual, isRight) => {
    expect(isShown(expected, actual)).toBe(isRight);
  });
});
