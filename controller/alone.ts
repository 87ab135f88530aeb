// SPDX-License-Identifier: Apache-2.0
/** The election of a controller that shares nothing: it leads. Another one is kept from writing by the switch alone. */
import type { Election } from './ports/election.ts';

export function aloneElection(term: bigint): Election {
  return {
    start: (listener) => queueMicrotask(() => listener({ kind: 'leader', term })),
    close: async () => {},
  };
}
