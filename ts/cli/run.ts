import {Command, CommanderError} from 'commander';
import {FlabError} from '../errors.js';
import {defaults} from '../plan/choices.js';
import {generator} from '../report/generator.js';
import type {Context} from './context.js';
import {exitCodeHelp, exitCodes} from './exit-codes.js';
import {addOutputFlags, addPruningFlags, addRecipeFlag, addResourceFlags, addTellingFlags, addTextFlags, type Flags} from './flags.js';
import {tellError} from './messages.js';

/**
 * Runs one command line, without the names of node and the script. Never throws and never ends the process: gives the exit code (see `exitCodes`).
 * Help, version and wrong arguments are answered without loading the pipeline.
 */
export const run = async (argv: readonly string[], context: Context): Promise<number> => {
	try {
		let exitCode = 0;
		await program({...context, setExitCode(code) {
			exitCode = code;
		}}).parseAsync(withKnownHelp(argv), {from: 'user'});
		return exitCode;
	} catch (error) {
		if (error instanceof CommanderError && helpShown.has(error.code)) {
			return error.exitCode === 0 ? 0 : exitCodes.ERR_BAD_ARGUMENT;
		}

		return tellError(error instanceof CommanderError ? usageError(error, argv) : error, context, argv.includes('--json'));
	}
};

// Commander would print the whole help for a command that there is not, and no sentence.
const withKnownHelp = ([first, ...rest]: readonly string[]): string[] =>
	first === 'help' && rest[0] !== undefined && !commandNames.includes(rest[0]) ? rest : [...first === undefined ? [] : [first], ...rest];

/** A command that worked may still end in another exit code than 0. */
export type RunContext = Context & {readonly setExitCode: (code: number) => void};

const helpShown: ReadonlySet<string> = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

const program = (context: RunContext): Command => {
	const {stdout, stderr} = context;
	const root = new Command('flab-pruner')
		.description('Makes a language model smaller: removes tokens, decoder layers and FFN neurons that its use does not need.')
		.version(generator().version, '-v, --version', 'print the version')
		.helpOption('-h, --help', 'print this help')
		.exitOverride()
		.configureOutput({
			writeOut: text => stdout.write(text),
			writeErr: text => stderr.write(text),
			// Told by `run`, in the same form as every other error.
			outputError: () => {},
			getOutHelpWidth: () => stdout.columns ?? helpColumns,
			getErrHelpWidth: () => stderr.columns ?? helpColumns,
		})
		.addHelpText('after', `\nExample:\n  flab-pruner prune ./model --out ./pruned --corpus ./src --calibration prompts.jsonl --drop-layers 4\n\n${exitCodeHelp}`);
	addPrune(root, context);
	addPlan(root, context);
	addApply(root, context);
	addInspect(root, context);
	addDoctor(root, context);
	addCompletion(root, context);
	return root;
};

const helpColumns = 110;
const folder = 'folder of a checkpoint: config.json, safetensors, tokenizer files';

const addPrune = (root: Command, context: Context): void => {
	const command = root.command('prune').description('Chooses what to remove, writes the smaller checkpoint and verifies it.').argument('[model]', folder);
	addTellingFlags(addResourceFlags(addPruningFlags(addTextFlags(addOutputFlags(addRecipeFlag(command))))));
	finish(command, 'flab-pruner prune ./model --out ./pruned --corpus ./src --calibration prompts.jsonl --drop-layers 4 --ffn-width 0.9', async (model, flags) =>
		(await import('./commands.js')).prune(model, flags, context));
};

const addPlan = (root: Command, context: Context): void => {
	const command = root.command('plan').description('Chooses what to remove and writes the plan as JSON; no weight is written.').argument('[model]', folder);
	addRecipeFlag(command).optionsGroup('Output:')
		.option('-o, --out <file>', 'file to write the plan to; - is standard output, as is the default')
		.option('--force', 'replace the file if it exists (default: refuse)');
	addTellingFlags(addResourceFlags(addPruningFlags(addTextFlags(command))));
	finish(command, 'flab-pruner plan ./model --out plan.json --calibration prompts.jsonl --drop-layers 4', async (model, flags) =>
		(await import('./commands.js')).plan(model, flags, context));
};

const addApply = (root: Command, context: Context): void => {
	const command = root.command('apply').description('Carries out a plan: writes the smaller checkpoint and verifies it.').argument('[model]', `${folder}; the one that the plan was made for`);
	addOutputFlags(addRecipeFlag(command).optionsGroup('Output:').option('--plan <file>', 'the plan (required)'));
	command.optionsGroup('Texts:')
		.option('--calibration <path...>', 'texts that the output is verified on (default: a fixed sample of token ids)')
		.option('--calibration-field <name...>', 'fields of a record that hold its text (default: found by their names)')
		.option('--max-texts <n>', `texts to take, at most (default: ${defaults.calibration.maxTexts})`)
		.option('--max-tokens <n>', `tokens of a text to take, at most (default: ${defaults.calibration.maxTokens})`);
	addTellingFlags(addResourceFlags(command));
	finish(command, 'flab-pruner apply ./model --plan plan.json --out ./pruned', async (model, flags) =>
		(await import('./commands.js')).apply(model, flags, context));
};

const addInspect = (root: Command, context: Context): void => {
	const command = root.command('inspect').description('Prints what a checkpoint is: family, parameters by component, bytes, what could be pruned.').argument('[model]', folder);
	addRecipeFlag(command).optionsGroup('Messages:').option('--json', 'print the result, or the error, as one JSON document on standard output (warnings and errors are on standard error as ever)');
	finish(command, 'flab-pruner inspect ./model', async (model, flags) =>
		(await import('./commands.js')).inspect(model, flags, context));
};

const addDoctor = (root: Command, context: RunContext): void => {
	const command = root.command('doctor').description('Prints how flab-pruner is installed here, what the machine grants it, and what to do about what is wrong.');
	command.optionsGroup('Messages:').option('--json', 'print the diagnosis as one JSON document');
	addHelp(command, 'flab-pruner doctor', '[options]').action(async (flags: Flags) => (await import('./doctor.js')).doctor(flags, context));
};

const addCompletion = (root: Command, {stdout}: Context): void => {
	const command = root.command('completion').description('Prints a script that completes commands, options and their values.').argument('<shell>', 'bash, zsh or fish');
	addHelp(command, 'flab-pruner completion bash >> ~/.bash_completion', 'SHELL [options]').action(async (shell: string) => {
		const {completionScript} = await import('./completion.js');
		stdout.write(completionScript(root, shell));
	});
};

const addHelp = (command: Command, example: string, usage: string): Command => command
	.usage(usage)
	.helpOption('-h, --help', 'print this help')
	.helpCommand(false)
	.addHelpText('after', `\nExample:\n  ${example}\n\n${exitCodeHelp}`);

const finish = (command: Command, example: string, act: (model: string | undefined, flags: Flags) => Promise<void>): void => {
	addHelp(command, example, 'MODEL [options]').action(async (model: string | undefined, flags: Flags) => act(model, flags));
};

// "error: unknown option '--ou'\n(Did you mean --out?)"
const usageError = (error: CommanderError, [command = '']: readonly string[]): FlabError => {
	const [message = '', ...suggestions] = error.message.replace(/^error: /, '').split('\n');
	const described = commandNames.includes(command) ? `flab-pruner ${command} --help describes every option.` : 'flab-pruner --help lists the commands.';
	const advice = error.code === 'commander.missingArgument' ? 'Name the shell: bash, zsh or fish.' : described;
	return new FlabError('ERR_BAD_ARGUMENT', message, {hint: [...suggestions.map(text => text.replaceAll(/^\(|\)$/g, '')), advice].join(' ')});
};

const commandNames: readonly string[] = ['prune', 'plan', 'apply', 'inspect', 'doctor', 'completion'];
