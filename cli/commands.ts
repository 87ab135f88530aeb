// SPDX-License-Identifier: Apache-2.0
/** The command line of evenkeel: what can be said, and what comes of it. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { LogLine } from '../controller/adapters/http/admin.ts';
import type { Edit } from '../controller/config/edit.ts';
import { parseDuration } from '../controller/config/scalar.ts';
import { logLevels, logTopics } from '../controller/core/event.ts';
import { AdminClient } from './admin-client.ts';
import { changeCommand, type Endpoint, edit as editBy, endpoint, tellChange } from './change-command.ts';
import { type ClientOptions, json, withClient } from './client-options.ts';
import { addDoctor } from './doctor-command.ts';
import { addDrift } from './drift-command.ts';
import { eventText } from './event-text.ts';
import { CommandError, type ExitCode, exitCodes } from './exit-code.ts';
import { explanationText } from './explanation-text.ts';
import { parseFlow } from './flow.ts';
import { addEndings, allEndings } from './help-endings.ts';
import { addLifecycle } from './lifecycle-command.ts';
import { addPlans } from './plan-commands.ts';
import type { ControllerCommandOptions } from './processes.ts';
import { addSchema } from './schema-command.ts';
import { statusText } from './status-text.ts';
import { pause, type Terminal } from './terminal.ts';
import { addTop } from './top-command.ts';
import type { LiveOptions, TraceOptions } from './trace.ts';
import { packageVersion } from './version.ts';
import { addWhy } from './why-command.ts';

/** A question to a running controller need not wait until a switch has been loaded. */
const processes = () => import('./processes.ts');

/** Before events are asked for again. */
const reconnectMs = 500;

const examples = `
Examples:
  $ evenkeel check evenkeel.yaml                       is the file sound?
  $ evenkeel up -c evenkeel.yaml                       embedded switch and controller in one process
  $ evenkeel status --watch                            what is going on, every second
  $ evenkeel add web web-5 10.0.2.15:8080 --weight 2   a new server
  $ evenkeel drain web web-1                           no new connections; those it has go on
  $ evenkeel replace web web-1 web-6 10.0.2.16:8080    a new server in the seat of an old one
  $ evenkeel fail web web-2                            it is dead: its connections cannot be saved
  $ evenkeel plan new.yaml                             what would change, without touching anything
  $ evenkeel explain 10.0.1.7:40000 10.0.1.100:80      where does this connection go, and why?

${allEndings}`;

/** @returns the exit code; everything else goes through the terminal */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await buildProgram(terminal).parseAsync([...args], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (!(error instanceof CommandError)) throw error;
    if (error.message !== '') terminal.err(`${error.message.replace(/^/gm, 'evenkeel: ')}\n`);
    return error.exitCode;
  }
}

/** Every command with its options; nothing is done yet. */
export function buildProgram(terminal: Terminal): Command {
  const program = new Command('evenkeel')
    .description('A nearly stateless load balancer for P4 switches.')
    .version(packageVersion(), '-v, --version', 'the version of evenkeel')
    .addHelpText('after', examples)
    // Options of a subcommand are its own: `evenkeel switch` has those of simple_switch_grpc.
    .enablePositionalOptions();
  addProcesses(program, terminal);
  addQuestions(program, terminal);
  addChanges(program, terminal);
  addPlans(program, terminal);
  addTop(program, terminal);
  addDoctor(program, terminal);
  addDrift(program, terminal);
  addWhy(program, terminal);
  addTrace(program, terminal);
  addSchema(program, terminal);
  addEndings(program);
  for (const command of [program, ...program.commands])
    command
      .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
      .configureHelp({ helpWidth: 100 })
      .showHelpAfterError(`Try: ${command === program ? '' : 'evenkeel '}${command.name()} --help`)
      .exitOverride();
  return program;
}

function addProcesses(program: Command, terminal: Terminal): void {
  const isLong = (command: Command): Command =>
    command
      .addOption(new Option('--log <format>', 'text on a screen, else json').choices(['text', 'json']))
      .addOption(
        new Option('--log-level <level>', 'the least that is logged').choices(logLevels).default('info'),
      );
  const naiveOption = [
    '--naive',
    'change tables in place, without versions, filters and pins: this breaks connections, and is there to show that',
  ] as const;
  const configOption = ['-c, --config <file>', 'configuration file'] as const;

  isLong(program.command('up'))
    .summary('run the embedded switch and its controller')
    .description(
      'Runs the embedded switch and its controller in one process, both from one configuration file.',
    )
    .requiredOption(...configOption)
    .option(...naiveOption)
    .addHelpText('after', '\nExamples:\n  $ sudo evenkeel up -c /etc/evenkeel/evenkeel.yaml')
    .action(async (options: ControllerCommandOptions) => (await processes()).runBoth(options, terminal));

  isLong(program.command('controller'))
    .summary('run the controller')
    .description(
      'Runs the controller of a switch that speaks P4Runtime: the embedded one, simple_switch_grpc, ...\n' +
        'The configuration file is what is wanted. It is read again when it changes, and on SIGHUP.\n' +
        'Without a controller the switch forwards as it last did.',
    )
    .requiredOption(...configOption)
    .option(...naiveOption)
    .addHelpText('after', '\nExamples:\n  $ evenkeel controller -c evenkeel.yaml --log json')
    .action(async (options: ControllerCommandOptions) =>
      (await processes()).runController(options, terminal),
    );

  program
    .command('switch')
    .summary('run the embedded switch')
    .usage('-c <file> | [options of simple_switch_grpc]')
    .description(
      'Runs the embedded P4 switch: that of a configuration file, or by the command line of simple_switch_grpc.',
    )
    .argument('[options...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel switch -c evenkeel.yaml\n' +
        '  $ evenkeel switch --no-p4 -i 1@veth1 -i 2@veth2 -- --grpc-server-addr 127.0.0.1:9559 --cpu-port 510',
    )
    .action(async (args: string[], _options: object, command: Command) => {
      if (args.length === 0 || (args.length === 1 && /^(-h|--help)$/.test(args[0]!))) {
        // Loaded only now: the other commands need nothing of the switch.
        const { optionsHelp } = await import('../switch/server/command-options.ts');
        command.addHelpText('after', `\n${optionsHelp}`).help();
      }
      const [first, file] = args;
      if (first === '-c' || first === '--config') {
        if (args.length !== 2) command.error(`error: ${first} takes one file and no other options`);
        await (await processes()).runConfiguredSwitch(file!, { log: undefined, logLevel: 'info' }, terminal);
      } else await (await import('./switch-command.ts')).runSwitch(args, terminal);
    });
}

function addQuestions(program: Command, terminal: Terminal): void {
  withClient(program.command('status'), terminal)
    .summary('show vips, backends, and what the controller is doing')
    .description(
      'Shows vips, backends, and what the controller is doing. Lines that start with ! need attention.',
    )
    .option('-w, --watch [seconds]', 'show it again and again', positiveNumber)
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel status\n  $ evenkeel status --watch 5\n  $ evenkeel status -o json',
    )
    .action(async (options: ClientOptions & { watch?: number | true }) => {
      const client = new AdminClient(options, terminal.env);
      const show = async (): Promise<void> => {
        const status = await client.status();
        const text = options.output === 'json' ? json(status) : statusText(status);
        // Home, the text, and nothing of what stood there before.
        const clear = options.watch !== undefined && terminal.isScreen ? '\x1b[H\x1b[2J' : '';
        terminal.out(clear + text);
      };
      await show();
      if (options.watch === undefined) return;
      const seconds = options.watch === true ? 1 : options.watch;
      while (!terminal.stop.aborted) {
        await pause(seconds * 1_000, terminal.stop);
        if (!terminal.stop.aborted)
          await show().catch((error: unknown) => {
            // A controller that is being restarted comes back.
            if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unreachable) throw error;
            terminal.err(`${error.message}\n`);
          });
      }
    });

  withClient(program.command('explain'), terminal)
    .summary('say where a flow goes, and why')
    .description('Says where a flow goes, and why. The flow need not exist.')
    .argument('<flow...>', 'SOURCE:PORT VIP:PORT, or tcp,SOURCE:PORT,VIP:PORT')
    .option('--udp', 'the flow is UDP')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel explain 10.0.1.7:40000 10.0.1.100:80\n' +
        '  $ evenkeel explain 10.0.1.7:40000 10.0.1.100:53 --udp\n  $ evenkeel explain udp,10.0.1.7:40000,10.0.1.100:53',
    )
    .action(async (words: string[], options: ClientOptions & { udp?: true }) => {
      const flow = parseFlow(words, options.udp === true);
      const explanation = await new AdminClient(options, terminal.env).explain(flow);
      terminal.out(options.output === 'json' ? json(explanation) : explanationText(flow, explanation));
    });

  withClient(program.command('events'), terminal)
    .summary('show what happened lately')
    .description(
      'Shows what happened lately, oldest first: commits, merges, backends, switches, changes of the configuration.',
    )
    .option('-f, --follow', 'and what happens from now on')
    .option('--since <span>', 'only what happened within this time, such as 10m or 2h', duration)
    .addOption(new Option('-t, --topic <topics...>', 'only these').choices(logTopics))
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel events\n  $ evenkeel events --follow\n  $ evenkeel events --topic commit merge\n  $ evenkeel events --since 10m',
    )
    .action(async (options: ClientOptions & { follow?: true; since?: number; topic?: string[] }) => {
      const client = new AdminClient(options, terminal.env);
      const since = options.since === undefined ? Number.NEGATIVE_INFINITY : Date.now() - options.since;
      const show = (line: LogLine): void => {
        if (options.topic !== undefined && !options.topic.includes(line.topic)) return;
        if (Date.parse(line.at) < since) return;
        terminal.out(options.output === 'json' ? `${JSON.stringify(line)}\n` : eventText(line));
      };
      if (options.follow) await follow(client, terminal, show);
      else for (const line of await client.events(0)) show(line);
    });

  program
    .command('check')
    .summary('check a configuration file')
    .description(
      'Checks a configuration file: every problem with its line, its column and what would be right.',
    )
    .argument('<file>')
    .addHelpText('after', '\nExamples:\n  $ evenkeel check evenkeel.yaml && echo sound')
    .action(async (file: string) => (await import('./check.ts')).checkFile(file, terminal));
}

function addTrace(program: Command, terminal: Terminal): void {
  program
    .command('trace')
    .summary('show what a P4 program does to a packet')
    .description(
      'Shows what a P4 program does to packets, step by step, with the places in its source.\n' +
        'The program is the JSON of p4c-bm2-ss. Packets are captures (pcap) or hexadecimal text: ' +
        "an empty line ends a packet, # begins a comment, '3:' in front names the port.",
    )
    .argument('[program]', 'BMv2 JSON')
    .argument('[packets...]', 'files of packets')
    .option('--live <address>', 'instead of files: packets that pass through a running switch, as they pass')
    .option('--filter <filter>', 'which ones: ingress_port == 1 && tcp.dst_port in 80..90')
    .addOption(new Option('--count <n>', 'stop after so many').argParser(wholeNumber).default(0, 'never'))
    .option('--p4info <file>', 'P4Info of the program (default: the file beside it)')
    .addOption(
      new Option(
        '--entries <file>',
        "what to write first: p4.v1.WriteRequest in text format, or the tutorials' sX-runtime.json; may be repeated",
      )
        .argParser((file: string, files: string[]) => [...files, file])
        .default([], 'nothing'),
    )
    .option('--port <n>', 'where packets arrive whose file does not say', wholeNumber, 0)
    .option('--json', 'one line of JSON for each packet')
    .option('--cpu-port <n>', 'port of packet-ins and packet-outs', wholeNumber, 510)
    .option('--drop-port <n>', 'egress_spec of dropped packets', wholeNumber, 511)
    .addOption(
      new Option('--compat <mode>', 'whom entries must please')
        .choices(['strict', 'bmv2', 'spec'])
        .default('strict'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel trace p4/build/evenkeel.json --entries s1-runtime.json packet.hex --port 1\n' +
        '  $ evenkeel trace basic.json --p4info basic.p4info.txtpb --entries entries.txtpb capture.pcap --json\n' +
        "  $ evenkeel trace --live 127.0.0.1:9559 --filter 'ipv4.dst_addr in 10.0.0.0/24 && tcp' --count 5",
    )
    .action(
      async (
        path: string | undefined,
        packets: string[],
        options: TraceOptions & Partial<LiveOptions>,
        command: Command,
      ) => {
        const { live, filter, count = 0, json } = options;
        const trace = await import('./trace.ts');
        if (live !== undefined) {
          if (path !== undefined) command.error('error: with --live there are no files');
          if (filter === undefined) command.error('error: --live needs a --filter');
          return trace.traceLive({ live, filter, count, json }, terminal);
        }
        if (path === undefined || packets.length === 0) {
          command.error('error: name a program and files of packets, or a switch with --live');
        }
        return trace.traceFiles(path, packets, options, terminal);
      },
    );
}

interface AddOptions extends ClientOptions {
  weight?: number;
  serverId?: string;
}

function addChanges(program: Command, terminal: Terminal): void {
  change('add', 'add a backend', 'Adds a backend: it gets its share of new connections.')
    .argument('<address:port>', 'where it listens', endpoint)
    .option('--weight <n>', 'relative to the other backends (default: 1)', wholeNumber)
    .option('--server-id <hex>', 'by which packets name it, where its vip has a hint')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel add web web-5 10.0.2.15:8080\n  $ evenkeel add web web-5 10.0.2.15:8080 --weight 2',
    )
    .action((vip: string, backend: string, at: Endpoint, options: AddOptions) =>
      edit(options, {
        ...{ kind: 'add', vip, backend, ...at },
        weight: options.weight,
        serverId: options.serverId,
      }),
    );

  change('remove', 'remove a backend', 'Removes a backend: no new connections; those it has go on.')
    .addHelpText('after', '\nExamples:\n  $ evenkeel remove web web-1')
    .action((vip: string, backend: string, options: ClientOptions) =>
      edit(options, { kind: 'remove', vip, backend }),
    );

  change(
    'weight',
    'change the weight of a backend',
    'Changes the weight of a backend. 0 gets no new connections.',
  )
    .argument('<weight>', 'relative to the other backends', wholeNumber)
    .addHelpText('after', '\nExamples:\n  $ evenkeel weight web web-1 3')
    .action((vip: string, backend: string, weight: number, options: ClientOptions) =>
      edit(options, { kind: 'weight', vip, backend, weight }),
    );

  addLifecycle(program, terminal);

  withClient(program.command('reload'), terminal)
    .summary('read the configuration file again')
    .description('Makes the controller read its configuration file again, and says what came of it.')
    .addHelpText('after', '\nExamples:\n  $ evenkeel reload')
    .action(async (options: ClientOptions) =>
      tellChange(terminal, options, await new AdminClient(options, terminal.env).reload()),
    );

  function change(name: string, summary: string, description: string): Command {
    return changeCommand(program, terminal, name, summary, description).argument(
      '<backend>',
      'name of the backend',
    );
  }

  const edit = (options: ClientOptions, wanted: Edit): Promise<void> => editBy(terminal, options, wanted);
}

/** A controller that is being restarted comes back; one that was never there ends the command. */
async function follow(client: AdminClient, terminal: Terminal, show: (line: LogLine) => void): Promise<void> {
  let lastId: string | undefined;
  for (let isAway = false; !terminal.stop.aborted; await pause(reconnectMs, terminal.stop)) {
    try {
      for await (const { line, id } of client.eventStream(terminal.stop, lastId)) {
        isAway = false;
        show(line);
        lastId = id;
      }
    } catch (error) {
      if (terminal.stop.aborted) return;
      const isUnreachable = error instanceof CommandError && error.exitCode === exitCodes.unreachable;
      if (!isUnreachable || lastId === undefined) throw error;
      if (!isAway) terminal.err(`${error.message}\n`);
      isAway = true;
    }
  }
}

function wholeNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('Expected a whole number from 0 to 65535.');
  return Number(text);
}

function duration(text: string): number {
  const parsed = parseDuration(text);
  if (!('value' in parsed)) throw new InvalidArgumentError(`Expected ${parsed.right}.`);
  return parsed.value;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86_400))
    throw new InvalidArgumentError('Expected a number of seconds above 0, at most 86400.');
  return value;
}
