/**
 * A stream of 32-bit whole numbers that is the same on every machine: SplitMix32, a Weyl sequence (step 2^32 / golden ratio) sent through a
 * mixer of two multiplications and three xor-shifts. Good enough to draw neurons, not for secrets.
 *
 * @param seed from 0 to 2^53 - 1
 * @param stream one seed gives independent streams, numbered from 0 (a layer, say)
 */
export const randomStream = (seed: number, stream: number): (() => number) => {
	let state = mix(mix(mix(seed >>> 0) ^ Math.floor(seed / 2 ** 32)) ^ stream);
	return () => {
		state = (state + weylStep) | 0;
		return mix(state);
	};
};

const weylStep = 0x9E_37_79_B9;

const mix = (value: number): number => {
	const once = Math.imul(value ^ (value >>> 16), 0x21_F0_AA_AD);
	const twice = Math.imul(once ^ (once >>> 15), 0x73_5A_2D_97);
	return (twice ^ (twice >>> 15)) >>> 0;
};
