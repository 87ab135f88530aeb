// SPDX-License-Identifier: Apache-2.0
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkTna, tnaTools } from './tna.ts';

const tools = tnaTools(process.env);
const why = 'missing' in tools ? ` (skipped: ${tools.missing})` : '';

describe.skipIf('missing' in tools)(`the core in the TNA shell${why}`, () => {
  it('type-checks', { timeout: 120_000 }, () => {
    if ('missing' in tools) return;
    expect(checkTna(import.meta.dirname, tools)).toBeUndefined();
  });

  it('would not with a service of another signature', { timeout: 120_000 }, () => {
    if ('missing' in tools) return;
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-tna-'));
    try {
      for (const part of ['core', 'tna'])
        cpSync(join(import.meta.dirname, part), join(folder, part), { recursive: true });
      const services = join(folder, 'tna', 'services.p4');
      const text = readFileSync(services, 'utf8');
      writeFileSync(
        services,
        text.replace('control SwitchTruncate(in bit<32>', 'control SwitchTruncate(in bit<16>'),
      );
      expect(checkTna(folder, tools)).toMatch(/error/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the tools for it', () => {
  it('are missing without an include folder, and with one that has no tna.p4', () => {
    expect(tnaTools({})).toEqual({ missing: "TNA_INCLUDE does not name the folder of p4c's tna.p4" });
    expect(tnaTools({ TNA_INCLUDE: '/nowhere' })).toEqual({ missing: '/nowhere has no tna.p4' });
  });
});
