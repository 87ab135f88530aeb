// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the configuration file: YAML to text positions, schema.ts for its shape, consistency.ts for how the parts fit.
 *
 *   text ──yaml──> document ──zod──> shape ──consistency──> Config
 *                     └──────────────┴───────────┴────────> problems, each with its line and column
 */
import { type Document, isCollection, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { requireIpv4 } from '../core/address.ts';
import type { Desired, DesiredPool, DesiredTunnel } from '../core/desired.ts';
import { toAnnounce } from './announce.ts';
import {
  type Config,
  configLimits,
  type StoreConfig,
  type SwitchTarget,
  storeDefaults,
  vipDefaults,
} from './config.ts';
import { inconsistencies } from './consistency.ts';
import { toHealth } from './health.ts';
import { toLifecycle } from './lifecycle.ts';
import { linksOf } from './links.ts';
import { nearMatch, type Problem } from './problem.ts';
import { formatHostPort, show } from './scalar.ts';
import { type ConfigShape, configSchema, knownKeys, type VipShape } from './schema.ts';
import { serverIdPattern } from './server-id.ts';
import { fragmentsOf, portOf } from './vip-consistency.ts';
import { toLoad } from './weights.ts';

export type ParsedConfig = { config: Config; warnings: Problem[] } | { problems: Problem[] };

type Path = readonly PropertyKey[];

/** Never throws: everything that is wrong with the text, as far as one reading can tell, comes back in file order. */
export function parseConfig(text: string): ParsedConfig {
  if (text.length > configLimits.textBytes) {
    const right = `at most ${configLimits.textBytes}; is this the right file?`;
    return { problems: [problem({ line: 1, column: 1 }, '', `${text.length} characters`, right)] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = syntaxProblems(document, lines);
  if (syntax.length > 0) return { problems: syntax };

  const shape = configSchema.safeParse(document.toJS());
  const placeOf = placesIn(document, lines);
  if (!shape.success) return { problems: inFileOrder(shape.error.issues.flatMap(problemsOf)) };

  const found = inFileOrder(
    inconsistencies(shape.data, sectionsOf(document)).map(({ severity, path, wrong, right, elsewhere }) => ({
      ...problem(
        placeOf(path),
        pathName(path),
        `${wrong}${elsewhere ? seeAlso(placeOf(elsewhere)) : ''}`,
        right,
      ),
      severity,
    })),
  );
  if (found.some(({ severity }) => severity === 'error')) return { problems: found };
  return { config: toConfig(shape.data), warnings: found };

  function problemsOf(issue: ShapeIssue): Problem[] {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key));
    const place = placeOf(issue.path);
    if (issue.code === 'invalid_type') {
      const wanted = issue.expected === 'array' ? 'a list' : 'a mapping';
      const input = document.getIn(issue.path);
      const wrong =
        input === undefined || input === null ? 'is missing' : `${showNode(input)} is not ${wanted}`;
      return [problem(place, pathName(issue.path), wrong, wanted)];
    }
    const right = issue.code === 'custom' ? String(issue.params?.right) : 'another value';
    return [problem(place, pathName(issue.path), issue.message, right)];
  }

  function unknownKey(path: Path, key: string): Problem {
    const known = knownKeys(path);
    const near = nearMatch(key, known);
    const right = near === undefined ? `one of ${known.join(', ')}` : `'${near}'`;
    return problem(placeOf([...path, key], 'key'), pathName(path), `'${key}' is not known here`, right);
  }
}

type ShapeIssue = NonNullable<ReturnType<typeof configSchema.safeParse>['error']>['issues'][number];

/** What is written in the file, whatever the defaults of the rest. */
function sectionsOf({ contents }: Document.Parsed): ReadonlySet<string> {
  return new Set(
    isMap(contents) ? contents.items.map(({ key }) => String(isScalar(key) ? key.value : key)) : [],
  );
}

function syntaxProblems(document: Document.Parsed, lines: LineCounter): Problem[] {
  return document.errors.slice(0, configLimits.problems).map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return problem({ line, column: col }, '', error.message.replace(/\.$/, ''), 'well-formed YAML');
  });
}

/** Where a value (or its key) stands; for a missing value, where the mapping that lacks it starts. */
function placesIn(document: Document.Parsed, lines: LineCounter) {
  return (path: Path, part: 'value' | 'key' = 'value'): { line: number; column: number } => {
    let node: Node | null = document.contents;
    for (const [depth, step] of path.entries()) {
      if (!isCollection(node)) break;
      if (isMap(node) && part === 'key' && depth === path.length - 1) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
        if (pair !== undefined) node = pair.key as Node;
        break;
      }
      const child = node.get(step, true) as Node | undefined;
      // A null without text (`vips:`) stands nowhere worth showing; its mapping does.
      if (child?.range == null) break;
      node = child;
    }
    const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
}

function toConfig(shape: ConfigShape): Config {
  const { timers, listen, token_file, tls, max_pins, audit, digest_rate, election_id } = shape.controller;
  return {
    switch: {
      address: shape.switch.address,
      deviceId: BigInt(shape.switch.device_id),
      interfaces: shape.switch.interfaces,
    },
    switches: toTargets(shape),
    controller: {
      listen,
      tokenFile: token_file,
      tls: tls && { certificate: tls.certificate, key: tls.key, clientCa: tls.client_ca },
      store: toStore(shape.controller.store),
      electionId: election_id === undefined ? undefined : BigInt(election_id),
      rotationMs: timers.rotation,
      quarantineMs: timers.quarantine,
      mergeMarginMs: timers.merge_margin,
      staleDigestMs: timers.stale_digest,
      closingTimeoutMs: timers.closing_timeout,
      maxPins: max_pins,
      digestRates: digest_rate,
      auditMs: audit === 0 ? undefined : audit,
    },
    announce: toAnnounce(shape.announce),
    desired: toDesired(shape),
    health: toHealth(shape),
    load: toLoad(shape.vips),
    lifecycle: toLifecycle(shape.vips),
  };
}

function toStore({ kind, path, ...etcd }: ConfigShape['controller']['store']): StoreConfig {
  if (kind === 'file') return { kind, path };
  const { endpoints = [], prefix = storeDefaults.prefix, lease } = etcd;
  return { kind, endpoints, prefix, leaseMs: lease ?? storeDefaults.leaseMs };
}

function toTargets({ switch: one, switches }: ConfigShape): SwitchTarget[] {
  const targets = switches ?? [{ ...one, name: formatHostPort(one.address) }];
  return targets.map(({ name, address, device_id }) => ({ name, address, deviceId: BigInt(device_id) }));
}

function toDesired({ network, vips }: ConfigShape): Desired {
  return {
    pools: vips.map(toPool),
    interfaces: linksOf(network).map(({ port, network: own, mac, mtu }) => ({ port, ...own, mac, mtu })),
    routes: network.routes.map(({ prefix, next_hop }) => ({
      prefix: prefix.address,
      prefixLength: prefix.prefixLength,
      nextHop: next_hop,
    })),
    neighbours: network.neighbours,
    ...(network.tunnel && { tunnel: toTunnel(network.tunnel) }),
  };
}

function toPool(vip: VipShape): DesiredPool {
  const { name, address, protocol, port, forwarding, affinity, hint, placement } = vip;
  return {
    name,
    vip: { address, protocol, port },
    forwarding,
    guePort: forwarding === 'gue' ? (vip.gue_port ?? vipDefaults.gue_port) : 0,
    affinity,
    hint,
    fragments: fragmentsOf(vip),
    whenDead: vip.when_dead,
    slotCount: vip.slots,
    table: vip.table,
    sessionTimeoutMs: vip.session_timeout,
    placement,
    backends: vip.backends.map((backend) => ({
      name: backend.name,
      address: backend.address,
      weight: backend.weight,
      state: backend.state,
      port: portOf(vip, backend),
      ...(backend.server_id && { serverId: serverIdPattern(vip, backend.server_id) }),
    })),
  };
}

function toTunnel({ ipv4, ipv6 }: NonNullable<ConfigShape['network']['tunnel']>): DesiredTunnel {
  return {
    ipv4: ipv4 && { address: requireIpv4(ipv4.address), prefixLength: ipv4.prefixLength },
    ipv6: typeof ipv6?.address === 'bigint' ? ipv6.address : undefined,
  };
}

/** Where the other of two that do not fit together stands. */
const seeAlso = ({ line, column }: { line: number; column: number }): string => ` (see ${line}:${column})`;

function problem(
  place: { line: number; column: number },
  path: string,
  wrong: string,
  right: string,
): Problem {
  return { severity: 'error', ...place, path, wrong, right };
}

function inFileOrder(problems: Problem[]): Problem[] {
  return problems
    .sort((left, right) => left.line - right.line || left.column - right.column)
    .slice(0, configLimits.problems);
}

/** ['vips', 0, 'port'] as 'vips[0].port'. */
function pathName(path: Path): string {
  return path
    .map((step, depth) =>
      typeof step === 'number' ? `[${step}]` : `${depth === 0 ? '' : '.'}${String(step)}`,
    )
    .join('');
}

const showNode = (node: unknown): string => (isCollection(node) ? show(node.toJSON()) : show(node));
