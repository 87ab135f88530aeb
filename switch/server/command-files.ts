// SPDX-License-Identifier: Apache-2.0
/** From a command line to a switch: the files it names are read. */

import type { CommandLine } from './command-line.ts';
import { settingsOf } from './host.ts';
import { isLogged } from './log-sink.ts';
import type { SwitchOptions } from './switch.ts';

/** Replayed captures are in the working directory, as in BMv2. @throws what `read` throws */
export function switchOptionsOf(
  command: CommandLine,
  read: (path: string) => string,
): Omit<Partial<SwitchOptions>, 'log' | 'onFailure'> {
  const { compat, deviceId, grpcAddress, dataplaneAddress, interfaces, captureDirectory } = command;
  const { program, replayAfterSeconds, tls } = command;
  return {
    compat,
    deviceId,
    grpcAddress,
    dataplaneAddress,
    interfaces,
    ...settingsOf({
      ...command,
      // What the log would not show need not be made.
      packetDumpBytes: isLogged(command, 'info') ? command.packetDumpBytes : 0,
    }),
    captureDirectory,
    program: program === undefined ? undefined : read(program),
    replay:
      replayAfterSeconds === undefined ? undefined : { directory: '.', waitMs: replayAfterSeconds * 1000 },
    tls: tls && {
      certificate: Buffer.from(read(tls.certificate)),
      key: Buffer.from(read(tls.key)),
      clientRoots: tls.clientRoots === undefined ? undefined : Buffer.from(read(tls.clientRoots)),
      requireClientCertificate: tls.requireClientCertificate,
    },
  };
}
