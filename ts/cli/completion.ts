import type {Command, Option} from 'commander';
import {badArgument} from '../errors.js';
import {flagValues} from './flags.js';

/** Shells that there are completions for. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** The completion script of a shell: commands, options and values as the program has them. @throws ERR_BAD_ARGUMENT */
export const completionScript = (program: Command, shell: string): string => {
	const script = scripts[shell as keyof typeof scripts];
	if (script === undefined) {
		throw badArgument('SHELL', shells.join(', '), shell);
	}

	return script(commandsOf(program));
};

type CompletedOption = {readonly flags: readonly string[]; readonly description: string; readonly values: readonly string[] | undefined; readonly takesValue: boolean; readonly repeats: boolean};
type CompletedCommand = {readonly name: string; readonly description: string; readonly words: readonly string[]; readonly options: readonly CompletedOption[]};

const commandsOf = (program: Command): readonly CompletedCommand[] => program.commands.map(command => ({
	name: command.name(),
	description: command.description(),
	words: command.name() === 'completion' ? shells : [],
	options: command.createHelp().visibleOptions(command).map(option => completedOption(option)),
}));

const completedOption = (option: Option): CompletedOption => {
	const flags = option.flags.split(/[ ,]+/).filter(flag => flag.startsWith('-'));
	return {flags, description: option.description, values: flags.map(flag => flagValues[flag]).find(Boolean), takesValue: option.required || option.optional, repeats: option.variadic};
};

const header = 'Completions of flab-pruner, made by';
const flagsOf = ({options}: CompletedCommand): readonly string[] => options.flatMap(({flags}) => flags);

const bash = (commands: readonly CompletedCommand[]): string => {
	const values = commands.flatMap(({name, options}) => options.filter(option => option.values).map(({flags, values}) =>
		`\t\t${flags.map(flag => `${name}:${flag}`).join('|')}) COMPREPLY=($(compgen -W '${values!.join(' ')}' -- "$current")); return ;;`));
	const words = commands.map(command => `\t\t${command.name}) words='${flagsOf(command).join(' ')}'; plain='${command.words.join(' ')}' ;;`);
	return `# ${header}: flab-pruner completion bash
# In ~/.bashrc: source <(flab-pruner completion bash)
_flab_pruner() {
	local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" command="\${COMP_WORDS[1]}" words='' plain=''
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W '${[...commands.map(({name}) => name), '--help', '--version'].join(' ')}' -- "$current"))
		return
	fi
	case "$command:$previous" in
${values.join('\n')}
	esac
	case "$command" in
${words.join('\n')}
	esac
	# Nothing said here means names of files.
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$words" -- "$current"))
	elif [[ -n $plain ]]; then
		COMPREPLY=($(compgen -W "$plain" -- "$current"))
	fi
}
complete -o default -F _flab_pruner flab-pruner
`;
};

const zshText = (text: string): string => text.replaceAll('\'', '\'\\\'\'').replaceAll(/[[\]:]/g, '\\$&');

const zsh = (commands: readonly CompletedCommand[]): string => {
	const argument = ({takesValue, values, flags}: CompletedOption): string => takesValue ? `:${zshText(flags.at(-1)!.replace(/^-+/, ''))}:${values ? `(${values.join(' ')})` : '_files'}` : '';
	const specification = (option: CompletedOption): string => {
		const {flags, description, repeats} = option;
		const end = `'[${zshText(description)}]${argument(option)}'`;
		return `${repeats ? '\'*\'' : `'(${flags.join(' ')})'`}${flags.length > 1 ? `{${flags.join(',')}}` : flags[0]}${end}`;
	};

	const cases = commands.map(({name, options, words}) =>
		`\t\t${name}) _arguments ${[...options.map(option => specification(option)), words.length > 0 ? `'1:word:(${words.join(' ')})'` : '\'*:file:_files\''].join(' \\\n\t\t\t')} ;;`);
	return `#compdef flab-pruner
# ${header}: flab-pruner completion zsh
# In ~/.zshrc, after compinit: source <(flab-pruner completion zsh)
_flab_pruner() {
	local -a commands=(
${commands.map(({name, description}) => `\t\t'${name}:${zshText(description)}'`).join('\n')}
	)
	if ((CURRENT == 2)); then
		_describe command commands
		return
	fi
	local command=$words[2]
	shift words
	((CURRENT--))
	case $command in
${cases.join('\n')}
	esac
}
if [[ $funcstack[1] == _flab_pruner ]]; then _flab_pruner "$@"; else compdef _flab_pruner flab-pruner; fi
`;
};

const fishText = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

const fish = (commands: readonly CompletedCommand[]): string => {
	const option = (name: string, {flags, description, takesValue, values}: CompletedOption): string => {
		const names = flags.map(flag => flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`).join(' ');
		return `complete -c flab-pruner -n '__fish_seen_subcommand_from ${name}' ${names}${takesValue ? (values ? ` -xa '${values.join(' ')}'` : ' -r') : ''} -d ${fishText(description)}`;
	};

	return `# ${header}: flab-pruner completion fish
# In ~/.config/fish/config.fish: flab-pruner completion fish | source
${commands.flatMap(({name, description, options, words}) => [
		`complete -c flab-pruner -f -n __fish_use_subcommand -a ${name} -d ${fishText(description)}`,
		...words.length > 0 ? [`complete -c flab-pruner -f -n '__fish_seen_subcommand_from ${name}' -a '${words.join(' ')}'`] : [],
		...options.map(item => option(name, item)),
	]).join('\n')}
`;
};

const scripts = {bash, zsh, fish} as const;
