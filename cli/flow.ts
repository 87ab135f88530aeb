// SPDX-License-Identifier: Apache-2.0
/** How a flow is written on the command line. */
import type { FlowText } from './admin-client.ts';
import { endpointOf } from './change-command.ts';
import { CommandError, exitCodes } from './exit-code.ts';

const right = 'SOURCE:PORT VIP:PORT, or tcp,SOURCE:PORT,VIP:PORT';

/**
 * `10.0.0.1:1234 10.0.0.100:80` with or without --udp, or all in one word: `tcp,10.0.0.1:1234,10.0.0.100:80`.
 *
 * @throws CommandError
 */
export function parseFlow(words: readonly string[], isUdp: boolean): FlowText {
  const parts = words.length === 1 ? words[0]!.split(',') : words;
  const hasProtocol = parts.length === 3;
  const protocol = hasProtocol ? parts[0]!.toLowerCase() : isUdp ? 'udp' : 'tcp';
  const [source, target] = hasProtocol ? parts.slice(1) : parts;
  if (source === undefined || target === undefined || parts.length > 3)
    throw new CommandError(exitCodes.usage, `'${words.join(' ')}' is not a flow; expected ${right}`);
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw new CommandError(exitCodes.usage, `'${protocol}' is no protocol; expected tcp or udp`);
  if (isUdp && protocol === 'tcp')
    throw new CommandError(
      exitCodes.usage,
      'the flow says tcp and the option says udp; expected one of them',
    );
  for (const endpoint of [source, target]) endpointOf(endpoint);
  return { source, target, protocol };
}
