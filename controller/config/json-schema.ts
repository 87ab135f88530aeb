// SPDX-License-Identifier: Apache-2.0
/**
 * The configuration file's schema, for editors and for the reference: what schema.ts says, as JSON Schema (draft 7, which
 * editors of YAML know best).
 *
 * It knows each value by itself, and which keys go together; not what takes a look at the network (consistency.ts). So it
 * refuses nothing that the parser takes, and `evenkeel check` has the last word.
 */
import { z } from 'zod';
import type { JsonSchema } from './field.ts';
import { configSchema } from './schema.ts';

/** One place of the file: JSON Schema, and what only the reference says. */
export interface Entry extends JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  /** What the value is, in words; absent for mappings and lists. */
  words?: string;
  /** What is assumed in its absence, in words, where no value says it. */
  otherwise?: string;
  properties?: Readonly<Record<string, Entry>>;
  required?: readonly string[];
  items?: Entry;
}

/** With the words of the reference. */
export function describedSchema(): Entry {
  return z.toJSONSchema(configSchema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    // zod says nothing of the defaults of what is transformed. Ours are written as in the file.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      const said = z.globalRegistry.get(zodSchema)?.default;
      const standard = def.type === 'default' ? def.defaultValue : said;
      if (standard !== undefined) jsonSchema.default = standard as typeof jsonSchema.default;
    },
  }) as Entry;
}

/** What `evenkeel schema` prints, and docs/evenkeel.schema.json holds. */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...rest } = withHints(describedSchema());
  return { $schema, title: 'evenkeel.yaml', ...rest };
}

/** As it is written to a file. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
}

/** Words become part of the description, which editors show beside the key. */
function withHints({ words, otherwise, properties, items, description, ...entry }: Entry): Entry {
  const hints = [words, otherwise && `default: ${otherwise}`].filter(Boolean).join('; ');
  // Those of sections say only that all of their keys have defaults.
  if (properties !== undefined) delete entry.default;
  return {
    ...entry,
    ...(description && { description: hints === '' ? description : `${description} (${hints})` }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, withHints(each)])),
    }),
    ...(items && { items: words === undefined ? withHints(items) : items }),
  };
}
