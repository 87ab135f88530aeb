// SPDX-License-Identifier: Apache-2.0
/** The dashboard: asks the controller every second, and shows what it says. */
import { askHistory, askStatus, type PoolView, type StatusView, slotsAsker } from './api.ts';
import { Backends } from './backends.ts';
import { Changes } from './changes.ts';
import { Charts } from './charts.ts';
import { byId, element, endpointText, keepList, setText } from './dom.ts';
import { Events } from './events.ts';
import { Filters } from './filters.ts';
import { decode } from './slot-map.ts';
import { SlotPicture } from './slot-picture.ts';
import { spanOf } from './span.ts';
import { Topology } from './topology.ts';

const pollMs = 1_000;

const topology = new Topology();
const changes = new Changes((isUnlocked) => document.body.classList.toggle('unlocked', isUnlocked));
const backends = new Backends((edit, words) => void changes.change(edit, words));
const picture = new SlotPicture();
const filters = new Filters();
const charts = new Charts();
const events = new Events();
const pools = byId('pools', HTMLElement);
const poolHead = byId('pool-head', HTMLElement);
const trouble = byId('trouble', HTMLElement);
const askSlots = slotsAsker();

/** Chosen by the reader; undefined: the first one. */
let chosenPool = location.hash === '' ? undefined : decodeURIComponent(location.hash.slice(1));
let isAsking = false;

void askHistory()
  .then((samples) => charts.load(samples))
  .catch(() => undefined)
  .finally(() => {
    events.start();
    void look();
    setInterval(() => void look(), pollMs);
  });

async function look(): Promise<void> {
  // A page that nobody sees asks nothing; an answer that takes longer than a second is waited for.
  if (isAsking || document.hidden) return;
  isAsking = true;
  try {
    const status = await askStatus();
    const pool = status.engine.pools.find(({ name }) => name === chosenPool) ?? status.engine.pools[0];
    show(status, pool);
    if (pool !== undefined) {
      const map = await askSlots(pool.name);
      if (map !== undefined) picture.show(decode(map));
    }
    tellTrouble(troubleOf(status));
  } catch (error) {
    tellTrouble(
      `The controller does not answer (${(error as Error).message}). What stands here is as it was.`,
    );
  } finally {
    isAsking = false;
  }
}

function show(status: StatusView, pool: PoolView | undefined): void {
  const { leadership, engine, uptimeMs } = status;
  setText(byId('role', HTMLElement), `${leadership.role}, engine ${engine.state}`);
  setText(byId('uptime', HTMLElement), spanOf(uptimeMs));
  setText(byId('config-file', HTMLElement), status.config.file);
  showAnnounced(status);
  setText(byId('commit-count', HTMLElement), String(engine.totals.commits));
  const last = engine.commits.at(-1);
  setText(
    byId('last-commit', HTMLElement),
    last === undefined
      ? 'none yet'
      : `${spanOf(engine.now - last.committedAt)} ago: ${last.pools.join(', ')}, ${last.movedSlots} slots, ${last.rows} rows, ${Math.round(last.durationMs)} ms`,
  );
  filters.show(status);
  charts.add(status);
  showPools(engine.pools, pool);
  if (pool === undefined) return;
  setText(
    poolHead,
    `${pool.name}: ${endpointText(pool)}/${pool.protocol} by ${pool.forwarding}, ${pool.phase}`,
  );
  topology.show(status, pool);
  const checks = status.health?.find((health) => health.pool === pool.name);
  const lifecycle = status.lifecycle?.find((one) => one.pool === pool.name);
  backends.show(pool, engine.now, checks?.backends ?? [], lifecycle?.backends ?? []);
  changes.show(pool);
}

/** Only where a speaker tells routers of the vips. */
function showAnnounced({ announcer }: StatusView): void {
  const words = byId('announced', HTMLElement);
  words.parentElement!.hidden = announcer === undefined;
  if (announcer === undefined) return;
  const { announced, isDraining, refused, speaker } = announcer;
  const what = announced === undefined ? 'nothing yet' : announced.join(' ') || 'nothing';
  const without = refused.length === 0 ? '' : `, without ${refused.join(' ')}: too few pass their checks`;
  setText(words, `${what} by ${speaker}${isDraining ? ', draining' : ''}${without}`);
}

function showPools(all: readonly PoolView[], shown: PoolView | undefined): void {
  keepList(
    pools,
    all,
    ({ name, id }) => `${id} ${name}`,
    ({ name }) => {
      const button = element('button', { type: 'button' }, name);
      button.addEventListener('click', () => {
        chosenPool = name;
        history.replaceState(undefined, '', `#${encodeURIComponent(name)}`);
        void look();
      });
      return element('li', {}, button);
    },
    (item, { id }) => item.firstElementChild!.setAttribute('aria-pressed', String(id === shown?.id)),
  );
}

function troubleOf({
  config,
  switch: target,
  leadership,
  engine,
  announcer,
  health = [],
}: StatusView): string {
  const away = (target.members ?? []).filter(({ state }) => state !== 'participating');
  const drifted = (target.members ?? []).filter(
    ({ drift }) => drift !== undefined && Object.values(drift.counts).some((rows) => rows > 0),
  );
  const parts = [
    ...config.problems.slice(0, 3).map(({ wrong }) => `The configuration has a problem: ${wrong}.`),
    ...config.needsRestart.map((setting) => `${setting} takes effect when the controller is restarted.`),
    ...health
      .filter(({ isPanicking }) => isPanicking)
      .map(({ pool }) => `So many backends of ${pool} seem down that none of its checks is believed.`),
    ...engine.pools
      .filter(({ isDead }) => isDead)
      .map(({ name }) => `${name} is dead: no backend that lives has a slot.`),
    ...(announcer?.problem === undefined
      ? []
      : [`${announcer.speaker} does not announce what it should: ${announcer.problem}.`]),
    ...(leadership.role === 'standby'
      ? [`This controller stands by; ${leadership.leader?.name ?? 'nobody'} leads.`]
      : []),
    ...(leadership.role === 'leader' && engine.state !== 'running'
      ? [`The switch is not in hand: ${target.problem ?? target.connection}. It forwards as it last did.`]
      : []),
    ...(drifted.length > 0
      ? [
          `Somebody else has written to ${drifted.map(({ name }) => name).join(', ')}: evenkeel drift says what.`,
        ]
      : []),
    ...(away.length > 0 && engine.state === 'running'
      ? [`Not participating: ${away.map(({ name, state }) => `${name} (${state})`).join(', ')}.`]
      : []),
  ];
  return parts.join(' ');
}

/** Told once, not every second. */
function tellTrouble(text: string): void {
  setText(trouble, text);
  trouble.hidden = text === '';
}
