// SPDX-License-Identifier: Apache-2.0
/** Why a backend gets what it gets: what the engine, the checks, the load and the speaker know of it, put together. */
import type { ControllerStatus } from './adapters/http/admin.ts';
import type { BackendFacts } from './core/backend-facts.ts';
import { type WhyBackend, whyBackend } from './core/why-backend.ts';

export function whyOf(status: ControllerStatus, facts: BackendFacts, vip: string, name: string): WhyBackend {
  const { announcer, engine, switch: target, health = [], load = [], lifecycle = [] } = status;
  const checks = health.find(({ pool }) => pool === vip);
  const lifecycleOf = lifecycle.find(({ pool }) => pool === vip);
  const life = lifecycleOf?.backends.find(({ backend }) => backend === name);
  const loaded = load.find(({ pool }) => pool === vip)?.backends.find(({ backend }) => backend === name);
  const address = engine.pools.find((pool) => pool.name === vip)?.address;
  const { backend } = facts;
  return whyBackend(facts, {
    vip,
    backend: name,
    lifecycle: life,
    health: checks?.backends.find((one) => one.backend === name),
    isPanicking: checks?.isPanicking ?? false,
    load: loaded,
    packets: backend && target.traffic?.backends[backend.id]?.packets,
    isAnnounced:
      announcer && address !== undefined
        ? (announcer.announced ?? []).some((route) => route.split('/')[0] === address)
        : undefined,
    switchProblem: target.problem,
  });
}
