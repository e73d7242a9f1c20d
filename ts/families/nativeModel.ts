import type {TensorEntry} from '../checkpoint/safetensors.js';
import type {ComputeDtype, DeviceHandle, MappedFile, NativeLayer, NativeModel, NativeTensor} from '../native/contract.js';
import type {Role} from './family.js';
import type {ModelLayout} from './layout.js';

/**
 * The model for the native decoder: each role's tensor as a place in a mapped file. `map` is called once for each file.
 */
export const nativeModel = (layout: ModelLayout, map: (path: string) => MappedFile, compute: NativeModel['compute'], device?: DeviceHandle): NativeModel => {
	const files = new Map<string, MappedFile>();
	const mapOnce = (path: string): MappedFile => {
		const file = files.get(path) ?? map(path);
		files.set(path, file);
		return file;
	};

	const whole = rolesOf(layout, undefined, mapOnce);
	const layers = Array.from({length: layout.spec.layers}, (_, layer) => rolesOf(layout, layer, mapOnce) as NativeLayer);
	return {
		spec: layout.spec,
		embedding: (whole.embedding ?? whole.head)!,
		finalNorm: whole.finalNorm!,
		head: (whole.head ?? whole.embedding)!,
		layers,
		compute,
		...device && {device},
	};
};

const rolesOf = ({tensors}: ModelLayout, wanted: number | undefined, map: (path: string) => MappedFile): Partial<Record<Role, NativeTensor>> =>
	Object.fromEntries(tensors
		.filter(({role, layer}) => role !== undefined && layer === wanted)
		.map(({role, entry}) => [role, nativeTensor(entry, map)]));

const nativeTensor = ({name, path, begin, dtype, shape}: TensorEntry, map: (path: string) => MappedFile): NativeTensor =>
	({file: map(path), begin, dtype: dtype as ComputeDtype, shape, name});
