// SPDX-License-Identifier: Apache-2.0
/** The embedded switch in this process, on a clock that moves by a millisecond with each frame. */
import { ManualClock } from '../../switch/server/clock.ts';
import { type SwitchOptions, startSwitch } from '../../switch/server/switch.ts';
import { Target, type Wire } from './target.ts';

export const cpuPort = 510;

export async function startEmbedded(
  options: Partial<SwitchOptions> = {},
  spoil: (port: number, frame: Uint8Array) => Uint8Array | undefined = (_port, frame) => frame,
): Promise<Target> {
  const clock = new ManualClock();
  let deliver: (port: number, frame: Uint8Array) => void = () => {};
  const running = await startSwitch({
    grpcAddress: '127.0.0.1:0',
    cpuPort,
    clock,
    onTransmit: (port, frame) => {
      const delivered = spoil(port, frame);
      if (delivered) deliver(port, delivered);
    },
    ...options,
  });
  const wire: Wire = {
    isSynchronous: true,
    ready: async () => {},
    onFrame: (listener) => {
      deliver = listener;
    },
    send(port, frame) {
      clock.advance(1);
      running.inject(port, frame);
    },
    setPort: async (port, isUp) => running.setPortUp(port, isUp),
    close: () => running.close(),
  };
  return Target.connect('embedded', running.address, 0n, wire);
}
