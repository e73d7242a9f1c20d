/** What a header says about a tensor. */
export type HeaderTensor = {readonly name: string; readonly dtype: string; readonly shape: readonly number[]; readonly bytes: number};

/**
 * The first bytes of a safetensors file: the header's length and the header, padded with spaces so that the data starts at a
 * multiple of 8. The tensors' data follows in the order given, without gaps.
 */
export const encodeHeader = (tensors: readonly HeaderTensor[], metadata: Readonly<Record<string, string>>): Uint8Array => {
	let end = 0;
	const entries = tensors.map(tensor => {
		const begin = end;
		end += tensor.bytes;
		return entryText(tensor, begin, end);
	});
	const text = Buffer.from(`{${[metadataText(metadata), ...entries].join(',')}}`);
	const header = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
	header.writeBigUInt64LE(BigInt(header.length - 8));
	text.copy(header, 8);
	return new Uint8Array(header.buffer, header.byteOffset, header.length);
};

/** Most bytes that a header takes apart from its tensors. */
export const headerBaseBytes = (metadata: Readonly<Record<string, string>>): number =>
	8 + 2 + Buffer.byteLength(metadataText(metadata)) + 7;

/** Most bytes that a tensor takes in a header, wherever its data lies. */
export const headerEntryBytes = (tensor: HeaderTensor): number =>
	1 + Buffer.byteLength(entryText(tensor, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));

// Text by text: an object would lose a tensor called "__proto__" and reorder those called by numbers.
const entryText = ({name, dtype, shape}: HeaderTensor, begin: number, end: number): string =>
	`${JSON.stringify(name)}:${JSON.stringify({dtype, shape, data_offsets: [begin, end]})}`;

const metadataText = (metadata: Readonly<Record<string, string>>): string => `"__metadata__":${JSON.stringify(metadata)}`;
