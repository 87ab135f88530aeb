// SPDX-License-Identifier: Apache-2.0
/** `make docs`: writes what docs/ says of the configuration file and of the metrics anew. Run from the repository. */
import { readFileSync, writeFileSync } from 'node:fs';
import { configJsonSchemaText } from './config/json-schema.ts';
import { withReference } from './config/reference/reference.ts';
import { withMetrics } from './metrics-page.ts';

writeFileSync('docs/evenkeel.schema.json', configJsonSchemaText());
rewrite('docs/configuration.md', withReference);
rewrite('docs/metrics.md', withMetrics);

function rewrite(path: string, change: (page: string) => string): void {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}
