// What the pruned checkpoint's files will hold, before any byte is written.

import type {ModelLayout, PlacedTensor} from '../families/layout.js';
import {dtypeBits} from './dtypes.js';
import {keptSizes, type Keep} from './keep.js';
import type {CheckpointFiles} from './read.js';
import type {Shard} from './safetensors.js';
import {encodeHeader, headerBaseBytes, headerEntryBytes} from './writeheader.js';

/** A block of a source file to copy: `WritePiece` of the native contract with a path in place of the mapped file. */
export type SourcePiece = {
	readonly path: string;
	/** Byte offset of the first element. */
	readonly begin: number;
	readonly rows: number;
	readonly columns: number;
	readonly itemBytes: number;
	readonly keepRows?: Uint32Array;
	readonly keepColumns?: Uint32Array;
};

/** A tensor of the output. */
export type OutputTensor = {
	readonly name: string;
	/** Its name in the source. */
	readonly sourceName: string;
	readonly dtype: string;
	readonly shape: readonly number[];
	readonly bytes: number;
	/** Absent for an empty tensor. */
	readonly piece?: SourcePiece;
};

/** A file of the output: the header, then the tensors' pieces one after the other. */
export type OutputShard = {
	/** Base name. */
	readonly file: string;
	readonly header: Uint8Array;
	readonly tensors: readonly OutputTensor[];
	/** Size of the file. */
	readonly bytes: number;
};

/** All files of the output's weights. */
export type OutputPlan = {
	readonly shards: readonly OutputShard[];
	/** Content of model.safetensors.index.json; absent when there is one shard. */
	readonly index?: Readonly<Record<string, unknown>>;
	/** Bytes of all tensors together. */
	readonly tensorBytes: number;
};

export type OutputRequest = {
	readonly checkpoint: Pick<CheckpointFiles, 'shards' | 'indexMetadata'>;
	readonly layout: ModelLayout;
	readonly keep: Keep;
	/** No file is larger, header included, unless a single tensor is. */
	readonly maxShardBytes: number;
};

/**
 * Says which tensors the output has, from where each is copied, and how they fall into files. Pure.
 *
 * Tensors come in the order of the source, so that it is read forward; in a shard with several dtypes the wider come first,
 * so that each lies at a multiple of its element size. The layers that stay are numbered from 0. Tensors that no keep list
 * concerns are copied byte for byte, whatever their dtype.
 *
 * @throws `ERR_BAD_PLAN` if the keep lists don't fit the model
 */
export const planOutput = ({checkpoint, layout, keep, maxShardBytes}: OutputRequest): OutputPlan => {
	keptSizes(layout, keep);
	const {shards: sources, indexMetadata} = checkpoint;
	const metadata: Record<string, string> = {format: 'pt', ...sharedMetadata(sources)};
	const groups = split(outputTensors(layout, keep), maxShardBytes - headerBaseBytes(metadata));
	const shards = groups.map((group, index) => {
		const tensors = widestFirst(group);
		const header = encodeHeader(tensors, metadata);
		return {file: shardName(index, groups.length), header, tensors, bytes: header.length + totalBytes(tensors)};
	});
	return {
		shards,
		index: shards.length > 1 ? indexOf(shards, indexMetadata !== undefined && 'total_parameters' in indexMetadata) : undefined,
		tensorBytes: totalBytes(groups.flat()),
	};
};

/** The sources' own metadata; where two files differ, the first counts. Ours is the format that transformers asks for. */
const sharedMetadata = (sources: readonly Shard[]): Record<string, string> =>
	({...Object.fromEntries([...sources].reverse().flatMap(({metadata}) => Object.entries(metadata))), format: 'pt'});

const outputTensors = (layout: ModelLayout, keep: Keep): OutputTensor[] => {
	const places = keep.layers === undefined ? undefined : new Map([...keep.layers].map((layer, place) => [layer, place]));
	return layout.tensors.flatMap(tensor => {
		const place = tensor.layer === undefined ? undefined : (places === undefined ? tensor.layer : places.get(tensor.layer));
		return tensor.layer !== undefined && place === undefined ? [] : [outputTensor(tensor, place, layout, keep)];
	});
};

/** `place` is the layer's number in the output. */
const outputTensor = ({entry, axes, layer}: PlacedTensor, place: number | undefined, {family}: ModelLayout, keep: Keep): OutputTensor => {
	const {name, dtype, shape, path, begin, bytes, itemBits} = entry;
	const prefix = family.layerPrefix;
	const newName = place === undefined ? name : `${prefix}${place}${name.slice(prefix.length + String(layer).length)}`;
	const lists = axes.map((axis, dimension) => {
		const list = axis === 'V' ? keep.tokens : (axis === 'F' && place !== undefined ? keep.neurons?.[place] : undefined);
		// A list of all is no list: the writer then copies the tensor in one go.
		return list?.length === shape[dimension] ? undefined : list;
	});
	if (lists.every(list => list === undefined)) {
		// One row of single bytes: that fits any dtype, packed ones included.
		const piece = bytes === 0 ? undefined : {path, begin, rows: 1, columns: bytes, itemBytes: 1};
		return {name: newName, sourceName: name, dtype, shape, bytes, piece};
	}

	const itemBytes = itemBits / 8;
	const newShape = shape.map((size, dimension) => lists[dimension]?.length ?? size);
	return {
		name: newName,
		sourceName: name,
		dtype,
		shape: newShape,
		bytes: newShape.reduce((product, size) => product * size, itemBytes),
		piece: {path, begin, rows: shape[0]!, columns: shape[1] ?? 1, itemBytes, keepRows: lists[0], keepColumns: lists[1]},
	};
};

/** Greedy: a shard ends where the next tensor would make it too large. */
const split = (tensors: readonly OutputTensor[], budget: number): OutputTensor[][] => {
	const groups: OutputTensor[][] = [];
	let used = Number.POSITIVE_INFINITY;
	for (const tensor of tensors) {
		const cost = tensor.bytes + headerEntryBytes(tensor);
		if (used + cost > budget) {
			groups.push([]);
			used = 0;
		}

		groups.at(-1)!.push(tensor);
		used += cost;
	}

	return groups;
};

const widestFirst = (tensors: readonly OutputTensor[]): OutputTensor[] =>
	[...tensors].sort((a, b) => dtypeBits[b.dtype]! - dtypeBits[a.dtype]!);

const shardName = (index: number, shards: number): string => {
	const digits = (value: number): string => String(value).padStart(5, '0');
	return shards === 1 ? 'model.safetensors' : `model-${digits(index + 1)}-of-${digits(shards)}.safetensors`;
};

const indexOf = (shards: readonly OutputShard[], withParameters: boolean): Readonly<Record<string, unknown>> => {
	const tensors = shards.flatMap(shard => shard.tensors);
	const places = shards.flatMap(shard => shard.tensors.map(({name}) => [name, shard.file] as const));
	const parameters = tensors.reduce((total, {shape}) => total + shape.reduce((product, size) => product * size, 1), 0);
	return {
		metadata: {...(withParameters ? {total_parameters: parameters} : {}), total_size: totalBytes(tensors)},
		weight_map: Object.fromEntries(places.sort(([a], [b]) => (a < b ? -1 : 1))),
	};
};

const totalBytes = (tensors: readonly OutputTensor[]): number => tensors.reduce((total, {bytes}) => total + bytes, 0);
