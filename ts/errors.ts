/**
 * What went wrong, for programs. Each code has an exit code of the CLI (see `exitCodes`).
 *
 * - `ERR_BAD_ARGUMENT`: an option or argument of the caller
 * - `ERR_BAD_FILE`: a checkpoint file is damaged or inconsistent (safetensors, index, JSON syntax)
 * - `ERR_BAD_CONFIG`: config.json or generation_config.json says something unusable
 * - `ERR_UNKNOWN_FAMILY`: no model family matches the checkpoint
 * - `ERR_BAD_TOKENIZER`: tokenizer files are missing, damaged or of a kind that can't be pruned
 * - `ERR_BAD_DATA`: a corpus or calibration record
 * - `ERR_BAD_PLAN`: a plan is malformed, or does not belong to this checkpoint
 * - `ERR_OUTPUT_EXISTS`: the output is there already and may not be replaced
 * - `ERR_READ`, `ERR_WRITE`: the operating system refused (missing, disk full, read-only, permissions)
 * - `ERR_PROOF`: the pruned tokenizer does not encode the corpus as the original does
 * - `ERR_VERIFY`: the written checkpoint does not compute what the masked original computes
 * - `ERR_MEMORY`: a buffer could not be allocated, no thread could be started, or the work does not fit the memory that it may take
 * - `ERR_NO_DRIVER`, `ERR_OLD_DRIVER`, `ERR_NO_DEVICE`, `ERR_DEVICE_BUSY`, `ERR_DEVICE_UNSUPPORTED`: why a GPU can't be used
 * - `ERR_NO_BACKEND`: the library for GPUs is not there, or is of another version
 * - `ERR_DEVICE_MEMORY`: the work does not fit the memory of the GPU that it may take
 * - `ERR_DEVICE_FAULT`: the GPU failed while it computed; the process goes on without it
 * - `ERR_ABORTED`: cancelled through an AbortSignal or Ctrl-C
 * - `ERR_NATIVE_LOAD`: the native addon could not be loaded
 * - `ERR_INTERNAL`: a defect of flab-pruner
 */
export const errorCodes = [
	'ERR_BAD_ARGUMENT',
	'ERR_BAD_FILE',
	'ERR_BAD_CONFIG',
	'ERR_UNKNOWN_FAMILY',
	'ERR_BAD_TOKENIZER',
	'ERR_BAD_DATA',
	'ERR_BAD_PLAN',
	'ERR_OUTPUT_EXISTS',
	'ERR_READ',
	'ERR_WRITE',
	'ERR_PROOF',
	'ERR_VERIFY',
	'ERR_MEMORY',
	'ERR_NO_DRIVER',
	'ERR_OLD_DRIVER',
	'ERR_NO_DEVICE',
	'ERR_DEVICE_BUSY',
	'ERR_DEVICE_UNSUPPORTED',
	'ERR_NO_BACKEND',
	'ERR_DEVICE_MEMORY',
	'ERR_DEVICE_FAULT',
	'ERR_ABORTED',
	'ERR_NATIVE_LOAD',
	'ERR_INTERNAL',
] as const;

/** One of `errorCodes`. */
export type FlabErrorCode = (typeof errorCodes)[number];

/** Where an error happened and what to do about it. */
export type FlabErrorDetails = {
	/** Path of the file concerned. */
	readonly file?: string;
	/** Name of the tensor concerned. */
	readonly tensor?: string;
	/** What to do, as a sentence. */
	readonly hint?: string;
	/** The error underneath. */
	readonly cause?: unknown;
};

/**
 * Every error that flab-pruner raises on purpose: `code` for programs, `message` for people
 * (where, expected, got), `hint` for what to do next.
 */
export class FlabError extends Error {
	readonly code: FlabErrorCode;
	readonly file: string | undefined;
	readonly tensor: string | undefined;
	readonly hint: string | undefined;

	constructor(code: FlabErrorCode, message: string, {file, tensor, hint, cause}: FlabErrorDetails = {}) {
		super(message, cause === undefined ? undefined : {cause});
		this.name = 'FlabError';
		this.code = code;
		this.file = file;
		this.tensor = tensor;
		this.hint = hint;
	}
}

/** The one wording of every invalid argument: which name, expected what, got what. */
export const badArgument = (name: string, expected: string, got: unknown, hint?: string): FlabError =>
	new FlabError('ERR_BAD_ARGUMENT', `${name}: expected ${expected}, got ${describe(got)}`, {hint});

/** Words that a message says as they are, in the place of a value. */
export class Words {
	constructor(readonly text: string) {}
}

/** A short printable form of any value, for messages. */
export const describe = (value: unknown): string => {
	if (value instanceof Words) {
		return value.text;
	}

	if (typeof value === 'string') {
		return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
	}

	if (Array.isArray(value)) {
		return value.length > 6 || value.some(item => typeof item === 'bigint') ? `an array of ${value.length}` : JSON.stringify(value);
	}

	if (typeof value === 'object' && value !== null) {
		const kind = withArticle(value.constructor?.name || Object.prototype.toString.call(value).slice(8, -1));
		return ArrayBuffer.isView(value) && 'length' in value ? `${kind} of ${String(value.length)}` : kind;
	}

	return typeof value === 'function' ? 'a function' : String(value);
};

// As names of classes are spoken: an AbortSignal, a Uint8Array.
const withArticle = (name: string): string => `${/^[aeio]/i.test(name) ? 'an' : 'a'} ${name}`;

/** Rejects with `ERR_ABORTED` if the signal has fired. */
export const throwIfAborted = (signal: AbortSignal | undefined): void => {
	if (signal?.aborted) {
		throw abortError(signal);
	}
};

/** The error of a cancelled operation; `cause` is the signal's reason. */
export const abortError = (signal?: AbortSignal): FlabError =>
	new FlabError('ERR_ABORTED', 'The operation was cancelled', {cause: signal?.reason});

/** The error of a process whose current directory was deleted, which whatever asks for it ends in; undefined for any other. */
export const missingDirectory = (cause: unknown): FlabError | undefined => (cause as NodeJS.ErrnoException | undefined)?.syscall === 'uv_cwd'
	? new FlabError('ERR_READ', 'The current directory does not exist any more', {hint: 'Change to one that exists.', cause})
	: undefined;

/** A file-system error (`cause.code` is ENOENT, ENOSPC, EROFS, ...) as a FlabError with a sentence. */
export const fileError = (action: 'read' | 'write', file: string, cause: unknown): FlabError => {
	if (cause instanceof FlabError) {
		return cause;
	}

	const systemCode = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
	const [reason, hint] = systemReasons[systemCode] ?? [(cause as Error | undefined)?.message ?? String(cause), undefined];
	return new FlabError(action === 'read' ? 'ERR_READ' : 'ERR_WRITE', `${file}: could not ${action}: ${reason}`, {file, hint, cause});
};

const systemReasons: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
	ENOENT: ['no such file or directory', 'Check the path.'],
	EACCES: ['permission denied', 'Check who owns the file and its folder.'],
	EPERM: ['operation not permitted', 'Check who owns the file and its folder.'],
	EISDIR: ['it is a directory', 'Name a file.'],
	ENOTDIR: ['a part of the path is not a directory', 'Check the path.'],
	ENOSPC: ['no space left on the device', 'Free some space, or choose an output folder on another disk.'],
	EDQUOT: ['the disk quota is used up', 'Free some space, or choose an output folder on another disk.'],
	EFBIG: ['the file would be larger than the limit allows', 'Use a smaller maxShardBytes (--max-shard-size), or raise the limit (ulimit -f).'],
	EROFS: ['the file system is read-only', 'Choose an output folder on a writable disk.'],
	EMFILE: ['too many open files', 'Raise the limit (ulimit -n).'],
};
