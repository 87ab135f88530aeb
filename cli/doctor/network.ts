// SPDX-License-Identifier: Apache-2.0
/** Checks of the interfaces behind the ports of the embedded switch. */
import type { Config } from '../../controller/config/config.ts';
import { formatAddress } from '../../controller/core/address.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import type { World } from './world.ts';

const IFF_UP = 1;

export async function interfaceFindings(world: World, config: Config): Promise<Finding[]> {
  const { interfaces } = config.switch;
  const findings = await Promise.all(interfaces.map((each) => interfaceFinding(world, config, each)));
  return [...findings.flat(), ...reversePath(world, config)];
}

async function interfaceFinding(
  world: World,
  { desired }: Config,
  { port, device }: { port: number; device: string },
): Promise<Finding[]> {
  const what = `interface ${device}`;
  const read = (name: string): string | undefined => world.read(`/sys/class/net/${device}/${name}`)?.trim();
  const flags = read('flags');
  if (flags === undefined) {
    const names = world.list('/sys/class/net').filter((name) => name !== 'lo');
    return [
      problem(
        what,
        `there is none; there are ${names.join(', ') || 'none at all'}`,
        `name one of them at switch.interfaces.${port}`,
      ),
    ];
  }
  const found: Finding[] = [];
  if ((Number(flags) & IFF_UP) === 0)
    found.push(problem(what, 'it is down', `sudo ip link set ${device} up`));
  else if (read('carrier') === '0')
    found.push(
      warning(
        what,
        'no carrier: its other end is down or unplugged',
        `ip -d link show ${device}; a veth needs its peer up, too`,
      ),
    );
  const mtu = Number(read('mtu'));
  const wanted = Math.max(
    0,
    ...desired.interfaces.filter((each) => each.port === port).map((each) => each.mtu),
  );
  if (wanted > mtu)
    found.push(
      problem(
        what,
        `its MTU is ${mtu}, less than the ${wanted} of port ${port}: large packets are lost`,
        `sudo ip link set ${device} mtu ${wanted}, or mtu: ${mtu} at network.interfaces`,
      ),
    );
  found.push(...(await kernelAddresses(world, desired, device, what)));
  return found.length > 0 ? found : [ok(what, `port ${port}, up, MTU ${mtu}`)];
}

/** The kernel sees the frames, too. What it takes for its own it answers, with resets of connections that it knows nothing of. */
async function kernelAddresses(
  world: World,
  desired: Config['desired'],
  device: string,
  what: string,
): Promise<Finding[]> {
  const told = await world.run('ip', ['-json', 'address', 'show', 'dev', device]);
  if (told?.status !== 0) return [];
  const links = parsed<{ addr_info?: { local?: string; prefixlen?: number }[] }[]>(told.output) ?? [];
  const own = links.flatMap(({ addr_info = [] }) => addr_info);
  const ours = new Set([
    ...desired.pools.map(({ vip }) => formatAddress(vip.address)),
    ...desired.interfaces.map(({ address }) => formatAddress(address)),
  ]);
  const both = own.filter(({ local }) => local !== undefined && ours.has(local));
  return both.map(({ local, prefixlen }) =>
    problem(
      what,
      `the kernel has ${local}, too, and answers in the switch's place: pings work, connections are reset`,
      `sudo ip address del ${local}/${prefixlen} dev ${device}`,
    ),
  );
}

/** Of servers on this machine: what comes out of a tunnel comes from where the kernel has no route to. */
function reversePath(world: World, { desired }: Config): Finding[] {
  const tunnelled = desired.pools.find(({ forwarding }) => forwarding !== 'nat' && forwarding !== 'l2_dsr');
  if (tunnelled === undefined) return [];
  const what = 'reverse path filter';
  const strict = world
    .list('/proc/sys/net/ipv4/conf')
    .filter((name) => world.read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`)?.trim() === '1');
  if (strict.length === 0) return [ok(what, 'not strict here; look at the servers, too')];
  return [
    warning(
      what,
      `strict on ${strict.slice(0, 4).join(', ')}: a server here would drop what its tunnel (${tunnelled.forwarding}) brings`,
      'on servers: sudo sysctl net.ipv4.conf.all.rp_filter=2, and so for the tunnel device',
    ),
  ];
}

export function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
