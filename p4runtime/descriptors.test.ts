// SPDX-License-Identifier: Apache-2.0
/**
 * Our protos against those of the PyPI package `p4runtime`: every message, field, oneof, enum and method.
 * Python is only the source of the descriptors. EVENKEEL_VENV may name a virtual environment that has the
 * package; otherwise one is made in the user's cache directory.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DescEnum, DescField, DescFile, DescMessage, DescService } from '@bufbuild/protobuf';
import { createFileRegistry, fromBinary, ScalarType } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { file_google_rpc_status } from './generated/google/rpc/status_pb.ts';
import { file_p4_config_v1_p4info } from './generated/p4/config/v1/p4info_pb.ts';
import { file_p4_config_v1_p4types } from './generated/p4/config/v1/p4types_pb.ts';
import { file_p4_v1_p4data } from './generated/p4/v1/p4data_pb.ts';
import { file_p4_v1_p4runtime } from './generated/p4/v1/p4runtime_pb.ts';

const ours = [
  file_google_rpc_status,
  file_p4_config_v1_p4types,
  file_p4_config_v1_p4info,
  file_p4_v1_p4data,
  file_p4_v1_p4runtime,
];

/** Facts of ours that the package does not have, each with the reason why. */
const extrasExplained: Readonly<Record<string, string>> = {};

/** All files with their dependencies, as a FileDescriptorSet in base64. */
const dumpScript = `
import base64
from google.protobuf import descriptor_pb2
from google.rpc import status_pb2
from p4.config.v1 import p4info_pb2
from p4.v1 import p4runtime_pb2
files = descriptor_pb2.FileDescriptorSet()
seen = set()
def add(file):
    if file.name in seen: return
    seen.add(file.name)
    for dependency in file.dependencies: add(dependency)
    file.CopyToProto(files.file.add())
add(status_pb2.DESCRIPTOR)
add(p4runtime_pb2.DESCRIPTOR)
print(base64.b64encode(files.SerializeToString()).decode())
`;

const run = promisify(execFile);

/** The Python of an environment that has the package, or why there is none. */
async function findPython(): Promise<{ python: string } | { reason: string }> {
  const prepared = process.env.EVENKEEL_VENV;
  if (prepared !== undefined) return { python: join(prepared, 'bin', 'python') };
  const venv = join(homedir(), '.cache', 'evenkeel', 'venv');
  const python = join(venv, 'bin', 'python');
  // Isolated (-I), because a folder `p4` in the working directory, such as ours, would pass for the package.
  try {
    if (!existsSync(python)) await run('python3', ['-m', 'venv', venv], { timeout: 60_000 });
    await run(python, ['-I', '-c', 'from p4.v1 import p4runtime_pb2']).catch(() =>
      run(python, ['-m', 'pip', 'install', '--quiet', '--retries', '0', 'p4runtime'], { timeout: 120_000 }),
    );
    return { python };
  } catch (error) {
    return {
      reason: `the package p4runtime cannot be installed: ${(error as Error).message.split('\n')[0]}`,
    };
  }
}

const found = await findPython();
const skipReason = 'reason' in found ? found.reason : undefined;

describe.skipIf(skipReason !== undefined)(
  `descriptors of PyPI p4runtime${skipReason ? ` (${skipReason})` : ''}`,
  () => {
    test('ours say the same', { timeout: 240_000 }, async () => {
      const theirs = await loadTheirs((found as { python: string }).python);
      const ourFacts = new Set(ours.flatMap(factsOfFile));
      const theirFacts = new Set(ours.flatMap((file) => factsOfFile(theirs.getFile(file.proto.name)!)));
      expect(theirFacts.size).toBeGreaterThan(400);
      expect(
        [...theirFacts].filter((fact) => !ourFacts.has(fact)),
        'missing on our side',
      ).toEqual([]);
      const extras = [...ourFacts].filter((fact) => !theirFacts.has(fact));
      expect(extras.sort(), 'unexplained on our side').toEqual(Object.keys(extrasExplained).sort());
    });
  },
);

test('a fact changes with number, type, label and oneof', () => {
  const facts = factsOfFile(file_p4_v1_p4runtime);
  expect(facts).toContain('p4.v1.TableEntry.match = 2: repeated p4.v1.FieldMatch');
  expect(facts).toContain('p4.v1.FieldMatch.lpm = 4: p4.v1.FieldMatch.LPM in field_match_type');
  expect(facts).toContain('p4.v1.SdnPort.SDN_PORT_MAX = -257');
  expect(facts).toContain('p4.v1.P4Runtime.Read: p4.v1.ReadRequest -> p4.v1.ReadResponse, server_streaming');
});

async function loadTheirs(python: string) {
  const { stdout } = await run(python, ['-I', '-c', dumpScript], {
    // Generated before protobuf 4, whose fast implementation refuses such code.
    env: { ...process.env, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: 'python' },
    maxBuffer: 16 * 1024 * 1024,
  });
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(stdout, 'base64')));
}

function factsOfFile(file: DescFile): string[] {
  return [
    ...file.messages.flatMap(factsOfMessage),
    ...file.enums.flatMap(factsOfEnum),
    ...file.services.flatMap(factsOfService),
  ];
}

function factsOfMessage(message: DescMessage): string[] {
  return [
    `message ${message.typeName}`,
    ...message.fields.map(factOfField),
    ...message.nestedMessages.flatMap(factsOfMessage),
    ...message.nestedEnums.flatMap(factsOfEnum),
  ];
}

function factOfField(field: DescField): string {
  const oneof = field.oneof === undefined ? '' : ` in ${field.oneof.name}`;
  const presence = field.proto.proto3Optional ? 'optional ' : '';
  const deprecated = field.deprecated ? ', deprecated' : '';
  return `${field.parent.typeName}.${field.name} = ${field.number}: ${presence}${typeOf(field)}${oneof}${deprecated}`;
}

function typeOf(field: DescField): string {
  const element =
    field.message?.typeName ?? field.enum?.typeName ?? ScalarType[field.scalar as ScalarType].toLowerCase();
  switch (field.fieldKind) {
    case 'list':
      return `repeated ${element}`;
    case 'map':
      return `map<${ScalarType[field.mapKey].toLowerCase()}, ${element}>`;
    default:
      return element;
  }
}

function factsOfEnum(desc: DescEnum): string[] {
  return [`enum ${desc.typeName}`, ...desc.values.map((v) => `${desc.typeName}.${v.name} = ${v.number}`)];
}

function factsOfService(service: DescService): string[] {
  return service.methods.map(
    (m) => `${service.typeName}.${m.name}: ${m.input.typeName} -> ${m.output.typeName}, ${m.methodKind}`,
  );
}
