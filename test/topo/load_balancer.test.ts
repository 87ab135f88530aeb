// SPDX-License-Identifier: Apache-2.0
/** The Mininet topology of topo/, run as it is: with the embedded switch, and with BMv2 where there is one. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findBmv2 } from '../../demo/targets.ts';

const script = fileURLToPath(new URL('../../topo/load_balancer.py', import.meta.url));
const built = fileURLToPath(new URL('../../dist/cli/evenkeel-switch-grpc.js', import.meta.url));
const runTimeoutMs = 90_000;

/** Mininet of a Linux distribution is in the system's own Python, which need not be the first in PATH. */
const python = ['python3', '/usr/bin/python3'].find((candidate) => {
  try {
    execFileSync(candidate, ['-c', 'import mininet.net'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'Mininet needs root';
  if (python === undefined) return 'there is no Python with Mininet';
  if (!existsSync(built)) return 'nothing has been built: npm run build';
  return undefined;
}

const reason = whyNot();
const bmv2 = findBmv2();
const switches = [
  { kind: 'embedded', missing: reason, program: undefined },
  {
    kind: 'bmv2',
    missing: reason ?? ('unavailable' in bmv2 ? bmv2.unavailable : undefined),
    program: 'command' in bmv2 ? bmv2.command[0] : undefined,
  },
];

for (const { kind, missing, program } of switches) {
  const why = missing === undefined ? '' : ` (skipped: ${missing})`;
  test.skipIf(missing !== undefined)(
    `in Mininet, every request is answered and every server has its share: ${kind}${why}`,
    { timeout: runTimeoutMs + 10_000 },
    async () => {
      const { stdout } = await promisify(execFile)(python!, [script, '--switch', kind, '--requests', '30'], {
        env: { ...process.env, ...(program && { BMV2_SWITCH_EXE: program }) },
        timeout: runTimeoutMs,
      });
      const shares = [...stdout.matchAll(/^(web\d) answered (\d+) of 60$/gm)];
      expect(shares.map(([, name]) => name)).toEqual(['web1', 'web2', 'web3']);
      expect(shares.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(60);
    },
  );
}
