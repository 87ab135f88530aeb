// SPDX-License-Identifier: Apache-2.0
/** Checks of what listens: our own ports, the controller, etcd, the speaker. */
import type { Config } from '../../controller/config/config.ts';
import type { HostPort } from '../../controller/config/scalar.ts';
import { formatHostPort } from '../../controller/config/scalar.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { clockFinding } from './host.ts';
import { parsed } from './network.ts';
import type { World } from './world.ts';

interface Readiness {
  isReady: boolean;
  role: string;
  engine: string;
  switch: string;
}

export async function serviceFindings(
  world: World,
  config: Config,
  controllerUrl: string,
): Promise<Finding[]> {
  const { readiness, findings } = await controller(world, controllerUrl);
  const listeners = listenersOf(world);
  const isEmbedded = config.switch.interfaces.length > 0;
  return [
    ...findings,
    ...(readiness === undefined ? portFindings('admin port', config.controller.listen, listeners) : []),
    ...(isEmbedded && readiness?.switch !== 'ready' && readiness?.switch !== 'standby'
      ? portFindings('switch port', config.switch.address, listeners)
      : []),
    ...(await etcd(world, config)),
    ...(await speaker(world, config)),
  ];
}

async function controller(
  world: World,
  url: string,
): Promise<{ readiness?: Readiness; findings: Finding[] }> {
  const what = 'controller';
  const answer = await world.get(`${url}/readyz`);
  if (answer === undefined)
    return {
      findings: [
        warning(what, `none answers at ${url}`, 'evenkeel up -c FILE, or --controller says where it is'),
      ],
    };
  const readiness = parsed<Readiness>(answer.body);
  if (readiness?.role === undefined)
    return {
      findings: [problem(what, `what answers at ${url} is no evenkeel controller`, `curl -i ${url}/readyz`)],
    };
  const { isReady, role, engine, switch: connection } = readiness;
  const found = `${role}, engine ${engine}, switch ${connection}`;
  const clocks = clockFinding('the controller', answer.date, world.now());
  if (isReady) return { readiness, findings: [ok(what, found), ...clocks] };
  return { readiness, findings: [problem(what, `not ready: ${found}`, remedyFor(connection)), ...clocks] };
}

function remedyFor(connection: string): string {
  if (connection === 'connecting')
    return 'start the switch: evenkeel switch -c FILE; is switch.address where it listens?';
  if (connection === 'standby')
    return 'another controller leads the switch: end it, or give this one a higher controller.election_id';
  return 'evenkeel status, evenkeel events';
}

interface Listener {
  /** '' for all addresses. */
  isAny: boolean;
  isLoopback: boolean;
  port: number;
}

/** Who listens by TCP on this machine, as the kernel tells everybody. */
function listenersOf(world: World): Listener[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    (world.read(path) ?? '')
      .split('\n')
      .map((line) => /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /.exec(line))
      .filter((match) => match !== null)
      .map(([, address, port]) => ({
        isAny: /^0+$/.test(address!),
        isLoopback: /7F$|^0{24}01000000$/.test(address!),
        port: Number.parseInt(port!, 16),
      })),
  );
}

function portFindings(what: string, { host, port }: HostPort, listeners: readonly Listener[]): Finding[] {
  const isLoopback = /^127\.|^::1$|^localhost$/.test(host);
  const taken = listeners.some(
    (each) => each.port === port && (each.isAny || each.isLoopback === isLoopback),
  );
  const where = formatHostPort({ host, port });
  if (!taken) return [ok(what, `${where} is free`)];
  return [
    warning(
      what,
      `somebody listens at ${where} already: if it is not a switch or a controller of yours, ours cannot start`,
      `sudo ss -ltnp 'sport = :${port}'`,
    ),
  ];
}

async function etcd(world: World, { controller: { store } }: Config): Promise<Finding[]> {
  if (store.kind !== 'etcd') return [];
  return Promise.all(
    store.endpoints.map(async (endpoint) => {
      const what = `etcd ${endpoint}`;
      const answer = await world.get(`${endpoint}/version`);
      const version = answer && parsed<{ etcdserver?: string }>(answer.body)?.etcdserver;
      if (version !== undefined) return ok(what, version);
      return problem(
        what,
        answer === undefined ? 'nobody answers' : 'what answers is no etcd',
        `curl ${endpoint}/version`,
      );
    }),
  );
}

async function speaker(world: World, { announce }: Config): Promise<Finding[]> {
  if (announce === undefined) return [];
  const { speaker: of } = announce;
  if (of.kind === 'frr') {
    const path = of.pathspace === undefined ? [] : ['-N', of.pathspace];
    const told = await world.run(of.vtysh, [...path, '-c', 'show version']);
    if (told?.status === 0) return [ok('FRR', told.output.trim().split('\n')[0] ?? '')];
    const why = told === undefined ? `there is no ${of.vtysh}` : told.output.trim().split('\n')[0];
    return [problem('FRR', `${why}`, 'sudo systemctl start frr; the controller needs the group frrvty')];
  }
  const errno = await world.knock(of.control);
  if (errno === undefined) return [ok('BIRD', `takes commands at ${of.control}`)];
  const remedy =
    errno === 'EACCES'
      ? 'run the controller with the group bird (SupplementaryGroups=bird)'
      : 'sudo systemctl start bird';
  return [problem('BIRD', `${of.control}: ${errno}`, remedy)];
}
