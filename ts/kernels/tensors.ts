import {FlabError} from '../errors.js';

/** What a kernel does with these matrices, by the names of its parameters. An error about one of them tells which tensor it is. */
export const namingTensors = async <Result>(matrices: Readonly<Record<string, unknown>>, call: () => Promise<Result>): Promise<Result> => {
	try {
		return await call();
	} catch (error) {
		throw error instanceof FlabError && error.code === 'ERR_BAD_ARGUMENT' ? withTensor(error, matrices) : error;
	}
};

const withTensor = ({code, message, file, hint, cause}: FlabError, matrices: Readonly<Record<string, unknown>>): FlabError => {
	const about = Object.keys(matrices).find(name => message.startsWith(`${name}.`) || message.startsWith(`${name}:`) || message.endsWith(` ${name}`));
	const tensor = about === undefined ? undefined : (matrices[about] as {readonly name?: unknown} | null | undefined)?.name;
	const named = typeof tensor === 'string' ? {tensor, text: `${message} (tensor ${tensor})`} : {text: message};
	return new FlabError(code, named.text, {file, tensor: named.tensor, hint: hint ?? hintFor(message), cause});
};

// What only the addon finds out.
const hintFor = (message: string): string | undefined =>
	message.startsWith('out: expected memory that does not overlap') ? 'Pass memory of its own, or leave `out` away for new memory.' : undefined;
