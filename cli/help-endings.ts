// SPDX-License-Identifier: Apache-2.0
/** What stands at the end of every command's help: exit codes, environment, files. */
import type { EventEmitter } from 'node:events';
import type { Command } from 'commander';

const exitCodeLines = `Exit codes:
  0  done
  1  failed, or refused; stderr says why
  2  the command line is wrong
  3  no controller answers
  4  the configuration has problems`;

const clientEnvironment = `Environment:
  EVENKEEL_CONTROLLER                      as --controller
  EVENKEEL_TOKEN                           as --token
  EVENKEEL_CA, EVENKEEL_CERT, EVENKEEL_KEY as --ca, --cert, --key`;

const clientFiles = `Files:
  /run/evenkeel/PORT.token   left by a controller of root or of systemd, read by its own user
  $XDG_RUNTIME_DIR/evenkeel  the same, of a controller of an ordinary user`;

const processEnvironment = `Environment:
  EVENKEEL_TOKEN   who knows it may change state (controller.token_file takes a file)
  NOTIFY_SOCKET    of systemd: it is told when all is ready`;

const processFiles = `Files:
  FILE              the configuration; commands edit it in place
  FILE.book         what the next controller should know (controller.store.path)
  FILE.weights      weights that follow load
  FILE.filling      who fills by slow_start
  FILE.adopted      rows of others that were adopted (evenkeel drift --adopt)
  /run/evenkeel     where the token for commands on this machine is left`;

/** Of the program itself: everything at once. */
export const allEndings = `${exitCodeLines}
  5  something differs, with --exit-code
  6  the deadline of a drain has passed, with drain --wait
  7  interrupted; what was begun goes on

${clientEnvironment}
  BMV2_SWITCH_EXE                          a simple_switch_grpc that is not in PATH
  NO_COLOR                                 no colours

${clientFiles}
  FILE                       the configuration
  FILE.book, FILE.*          what a controller keeps beside it: its book, weights, ...`;

/** Adds what a command has not said itself. */
export function addEndings(program: Command): void {
  for (const command of program.commands) {
    // Its help is that of simple_switch_grpc.
    if (command.name() === 'switch') continue;
    const said = afterHelp(command);
    const has = (name: string): boolean => command.options.some(({ long }) => long === name);
    const isProcess = ['up', 'controller'].includes(command.name());
    const endings = [
      ...(isProcess ? [processEnvironment] : has('--token') ? [clientEnvironment] : []),
      ...(isProcess ? [processFiles] : has('--token') ? [clientFiles] : []),
      exitCodeLines,
    ].filter((text) => !said.includes(text.split('\n')[0]!));
    for (const text of endings) command.addHelpText('after', `\n${text}`);
  }
}

/** What `addHelpText` has put behind a command's help. */
export function afterHelp(command: Command): string {
  let text = '';
  // A command is an emitter; its types do not say so.
  (command as unknown as EventEmitter).emit('afterHelp', {
    error: false,
    command,
    write: (more: string) => (text += more),
  });
  return text;
}
