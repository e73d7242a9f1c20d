import {run} from '../../build/ts/cli/run.js';

/** The reference of the command line, as Markdown. */
export const cliReference = async () => {
	const root = sectionsOf(await help());
	const commands = itemsOf(root['Commands']).map(([usage]) => usage.split(' ')[0]).filter(name => name !== 'help');
	const pages = [];
	for (const command of commands) {
		pages.push(commandPage(command, sectionsOf(await help(command))));
	}

	return `${[head, list(root, commands), ...pages, `## Exit codes\n\n${table(['code', 'meaning'], itemsOf(root['Exit codes']))}`].join('\n\n')}\n`;
};

const head = `# Command line

Made from the help texts by \`npm run docs\`. \`flab-pruner COMMAND --help\` prints the same for one command.`;

const list = (root, commands) => {
	const described = itemsOf(root['Commands']).filter(([usage]) => commands.includes(usage.split(' ')[0]));
	return table(['command', 'what it does'], described.map(([usage, text]) => [`[${usage.split(' ')[0]}](#flab-pruner-${usage.split(' ')[0]})`, text]));
};

const commandPage = (command, {usage, description, Example: example, 'Exit codes': _, ...groups}) => [
	`## flab-pruner ${command}`,
	description,
	`Usage: \`${usage}\``,
	...Object.entries(groups).map(([title, lines]) => table([title, ''], itemsOf(lines))),
	...example ? [`Example:\n\n${again(example)}\`\`\`sh\n${example.map(line => line.trim()).join('\n')}\n\`\`\``] : [],
].join('\n\n');

// The tests run these examples, one after the other in one folder.
const again = example => example.some(line => line.includes('./pruned')) ? '<!-- before: rm -rf pruned -->\n' : '';

// Wide enough for every description to stay on its line.
const help = async (...command) => {
	let printed = '';
	const stream = {columns: 100_000, write: text => printed += text};
	const code = await run([...command, '--help'], {stdout: stream, stderr: stream});
	if (code !== 0) {
		throw new Error(`flab-pruner ${command.join(' ')} --help ended with ${code}: ${printed}`);
	}

	return printed;
};

// Usage: ...\n\nDescription\n\nTitle:\n  item  description\n...
const sectionsOf = text => {
	const [usage, description, ...parts] = text.trim().split('\n\n');
	return {
		usage: usage.replace('Usage: ', ''),
		description,
		...Object.fromEntries(parts.map(part => {
			const [title, ...lines] = part.split('\n');
			return [title.replace(/:$/, ''), lines];
		})),
	};
};

const itemsOf = lines => lines.map(line => line.trim().split(/\s{2,}/));

const table = (titles, rows) => [titles, titles.map(() => '---'), ...rows.map(([name, text = '']) => [/^\[|^\d/.test(name) ? name : `\`${name}\``, text])]
	.map(cells => `| ${cells.map(cell => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`).join('\n');
