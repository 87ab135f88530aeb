// SPDX-License-Identifier: Apache-2.0
/**
 * The shape of the configuration file: which keys there are, what each may hold, what it is when absent, and what it does.
 * How the parts must fit together is in consistency.ts. docs/configuration.md and docs/evenkeel.schema.json are made of this
 * (`make docs`).
 */
import { z } from 'zod';
import { announceSchema } from './announce.ts';
import { configLimits, switchDefaults } from './config.ts';
import { controllerSchema } from './controller-schema.ts';
import { formed, hostPortField, integer, scalar } from './field.ts';
import { nameField } from './name.ts';
import { networkSchema } from './network-schema.ts';
import { type Parsed, show } from './scalar.ts';
import { vipSchema } from './vip-schema.ts';

const switchInterfacesField = formed(
  'a mapping from port to network device',
  {
    type: 'object',
    propertyNames: { pattern: '^\\d{1,3}$' },
    additionalProperties: { type: 'string', pattern: '^[^\\s/@]{1,15}$' },
  },
  parseSwitchInterfaces,
);

const deviceId = scalar(integer(0, Number.MAX_SAFE_INTEGER))
  .default(switchDefaults.device_id)
  .describe('The P4Runtime device id.');
const targetSchema = z
  .strictObject({
    name: scalar(nameField).describe('By which status and logs call it.'),
    address: scalar(hostPortField).describe('Its P4Runtime server.'),
    device_id: deviceId,
  })
  .describe('A switch of the group.');

const switchSchema = z
  .strictObject({
    address: scalar(hostPortField).prefault(switchDefaults.address).describe('Its P4Runtime server.'),
    device_id: deviceId,
    interfaces: scalar(switchInterfacesField)
      .prefault(switchDefaults.interfaces)
      .describe('Of the embedded switch only, which needs one at least: port and network device.'),
  })
  .prefault({})
  .describe('The switch, where there is one.');

export const configSchema = z
  .strictObject({
    switch: switchSchema,
    switches: z.array(targetSchema).optional().meta({
      minItems: 1,
      maxItems: configLimits.switches,
      description: 'Instead of `switch`: switches behind ECMP that hold the same rows.',
    }),
    controller: controllerSchema,
    network: networkSchema,
    announce: announceSchema.optional(),
    vips: z.array(vipSchema).meta({ maxItems: configLimits.vips, description: 'What is balanced.' }),
  })
  .meta({ not: { required: ['switch', 'switches'] }, description: 'The configuration file.' });

export type ConfigShape = z.output<typeof configSchema>;
export type VipShape = ConfigShape['vips'][number];
export type BackendShape = VipShape['backends'][number];

/** Keys that the schema knows at a place of the file; [] when the place has none. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType = configSchema;
  for (const step of path) {
    const inner = unwrapped(schema);
    if (inner instanceof z.core.$ZodArray) schema = inner._zod.def.element;
    else if (inner instanceof z.core.$ZodObject && typeof step === 'string' && step in inner._zod.def.shape)
      schema = inner._zod.def.shape[step]!;
    else return [];
  }
  const inner = unwrapped(schema);
  return inner instanceof z.core.$ZodObject ? Object.keys(inner._zod.def.shape) : [];
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.core.$ZodDefault ||
    inner instanceof z.core.$ZodPrefault ||
    inner instanceof z.core.$ZodOptional
  )
    inner = inner._zod.def.innerType;
  return inner;
}

/** `1: veth1` for each port, as `--interface 1@veth1` on the command line. */
function parseSwitchInterfaces(input: unknown): Parsed<{ port: number; device: string }[]> {
  const right = 'a mapping from port to network device, such as { 1: veth1, 2: veth2 }';
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return { wrong: `${show(input)} names no devices`, right };
  const interfaces: { port: number; device: string }[] = [];
  for (const [key, device] of Object.entries(input)) {
    const port = /^\d{1,3}$/.test(key) ? Number(key) : -1;
    if (port < 0 || port > configLimits.switchPort)
      return { wrong: `'${key}' is not a port`, right: `${right}; ports go to ${configLimits.switchPort}` };
    if (typeof device !== 'string' || !/^[^\s/@]{1,15}$/.test(device))
      return { wrong: `${show(device)} is not a network device`, right };
    interfaces.push({ port, device });
  }
  return { value: interfaces };
}
