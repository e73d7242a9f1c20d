import {readdir} from 'node:fs/promises';
import {extname, join} from 'node:path';
import {fileError} from '../errors.js';

/** Extensions of source code and of the prose beside it. */
export const sourceExtensions: readonly string[] = [
	'.py', '.pyi', '.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx', '.java', '.kt', '.kts', '.scala', '.go', '.rs', '.c', '.h', '.cc', '.cpp',
	'.cxx', '.hh', '.hpp', '.cu', '.cuh', '.cs', '.fs', '.swift', '.m', '.mm', '.rb', '.php', '.pl', '.pm', '.lua', '.r', '.jl', '.hs', '.ml', '.mli', '.erl',
	'.ex', '.exs', '.clj', '.lisp', '.el', '.dart', '.zig', '.nim', '.v', '.sv', '.vhd', '.vhdl', '.sql', '.sh', '.bash', '.zsh', '.ps1', '.bat', '.f90', '.f',
	'.pas', '.d', '.groovy', '.gradle', '.cmake', '.proto', '.html', '.css', '.scss', '.vue', '.svelte', '.yaml', '.yml', '.toml', '.xml', '.md', '.rst', '.txt', '.tex',
];

/** Extensions of files with records; read in folders that have no source code, or when asked for. */
export const recordExtensions: readonly string[] = ['.jsonl', '.ndjson', '.csv', '.parquet'];

const skippedFolders: ReadonlySet<string> = new Set(['.git', '.hg', '.svn', 'node_modules', '__pycache__', '.venv']);

/** Files with one of the extensions in a folder and those below, in the order of names (by code unit, the same everywhere). Links are not followed. */
export const walkFolder = async (folder: string, extensions?: readonly string[]): Promise<string[]> => {
	const files = await allFiles(folder);
	const wanted = (extensions ?? sourceExtensions).map(extension => (extension.startsWith('.') ? extension : `.${extension}`).toLowerCase());
	const withExtension = (list: readonly string[]): string[] => files.filter(file => list.some(extension => file.toLowerCase().endsWith(extension)));
	const found = withExtension(wanted);
	return found.length === 0 && extensions === undefined ? withExtension(recordExtensions) : found;
};

/** How the names of a folder's files end, the most frequent first, for messages: '12 .js, 3 .md', or 'none'. */
export const endingsIn = async (folder: string): Promise<string> => {
	const counts = new Map<string, number>();
	for (const file of await allFiles(folder)) {
		const ending = extname(file) || 'without an ending';
		counts.set(ending, (counts.get(ending) ?? 0) + 1);
	}

	const listed = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([ending, count]) => `${count} ${ending}`);
	return listed.length === 0 ? 'none' : [...listed.slice(0, shownEndings), ...listed.length > shownEndings ? ['...'] : []].join(', ');
};

const shownEndings = 5;

const allFiles = async (folder: string): Promise<string[]> => {
	const entries = await readdir(folder, {withFileTypes: true}).catch((cause: unknown) => {
		throw fileError('read', folder, cause);
	});
	entries.sort((a, b) => a.name < b.name ? -1 : 1);
	const files: string[] = [];
	for (const entry of entries) {
		const path = join(folder, entry.name);
		if (entry.isDirectory() && !skippedFolders.has(entry.name)) {
			files.push(...await allFiles(path));
		} else if (entry.isFile()) {
			files.push(path);
		}
	}

	return files;
};
