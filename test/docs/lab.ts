// SPDX-License-Identifier: Apache-2.0
/** A controller and an embedded switch in memory, for the commands of a page. Its hosts answer ARP, so that nobody is missed. */
import { parseHostPort } from '../../controller/config/scalar.ts';
import { type RunningController, startController } from '../../controller/main.ts';
import { startSwitch } from '../../switch/server/switch.ts';
import { answerArp } from '../../wire/frames.ts';

export interface Lab {
  controller: RunningController;
  close(): Promise<void>;
}

const token = 'a-token-of-the-documentation';
/** So long the first tables may take. */
const servingMs = 50_000;

export async function startLab(configPath: string): Promise<Lab> {
  const target = await startSwitch({
    grpcAddress: '127.0.0.1:0',
    deviceId: 1n,
    cpuPort: 510,
    onTransmit: (port, frame) => {
      const answer = answerArp(frame, (address) => 0x0200_0000_0000 + (Number(address) & 0xffff));
      // Not within the switch's own call.
      if (answer) setImmediate(() => target.inject(port, answer));
    },
  });
  const parsed = parseHostPort(target.address);
  if (!('value' in parsed)) throw new Error(`the switch listens on ${target.address}`);
  const controller = await startController({
    configPath,
    switchAddress: parsed.value,
    listen: { host: '127.0.0.1', port: 0 },
    token,
  });
  const close = async (): Promise<void> => {
    await controller.close();
    await target.close();
  };
  const until = Date.now() + servingMs;
  while (!isServing(controller)) {
    if (Date.now() > until) {
      await close();
      throw new Error('the pools are not served in time');
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { controller, close };
}

function isServing(controller: RunningController): boolean {
  const { pools } = controller.status().engine;
  return pools.length > 0 && pools.every(({ phase }) => phase === 'serving');
}
