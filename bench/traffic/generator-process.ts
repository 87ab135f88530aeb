// SPDX-License-Identifier: Apache-2.0
/**
 * The program that offers traffic: one JSON object per line in, one per line out. It starts in the namespace of the
 * interface and ends with its standard input.
 */

import { createInterface } from 'node:readline';
import { type Flows, framesOf } from './flows.ts';
import { type Offered, PacketGenerator } from './generator.ts';

export type GeneratorCommand =
  | { kind: 'flows'; flows: Flows }
  | { kind: 'run'; framesPerSecond: number; durationMs: number };

export type GeneratorReport = { kind: 'ready' } | ({ kind: 'offered' } & Offered);

const interfaceName = process.argv[2]!;
let generator: PacketGenerator | undefined;

const report = (message: GeneratorReport) => process.stdout.write(`${JSON.stringify(message)}\n`);

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as GeneratorCommand;
  switch (command.kind) {
    case 'flows':
      generator?.close();
      generator = new PacketGenerator(interfaceName, undefined, framesOf(command.flows));
      report({ kind: 'ready' });
      break;
    case 'run':
      report({ kind: 'offered', ...generator!.run(command.framesPerSecond, command.durationMs) });
      break;
  }
});
