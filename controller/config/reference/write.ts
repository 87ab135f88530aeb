// SPDX-License-Identifier: Apache-2.0
/** `make docs`: writes what docs/ says of the configuration file anew. Run from the repository. */
import { readFileSync, writeFileSync } from 'node:fs';
import { configJsonSchemaText } from '../json-schema.ts';
import { withReference } from './reference.ts';

writeFileSync('docs/evenkeel.schema.json', configJsonSchemaText());
const page = 'docs/configuration.md';
writeFileSync(page, withReference(readFileSync(page, 'utf8')));
