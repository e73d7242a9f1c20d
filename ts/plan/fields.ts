import * as z from 'zod';

// Leaves of the schemas. A schema's message is always what was expected, so that a complaint can be put together from it.

/** A text that is not empty. */
export const text = (expected: string) => z.string(expected).min(1, expected);

/** A path. No file system has one with a NUL. */
export const path = (expected: string) => text(expected).regex(/^[^\0]*$/, `${expected}, without a NUL in it`);

/** A whole number of at least `minimum`, exactly representable. */
export const whole = (minimum: number, expected = `a whole number of at least ${minimum}`) => z.int(expected).min(minimum, expected);

/** A finite number. */
export const finite = (expected = 'a finite number') => z.number(expected);

/** A finite number, or null where the value was not finite: JSON has no word for infinity. */
export const measured = () => z.number('a finite number or null').nullable();

/** One of a list of words. */
export const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) => z.enum(words, `one of ${words.join(', ')}`);

/** true or false. */
export const flag = () => z.boolean('true or false');

/** What a schema's type is called in the public types, and how it is described there (scripts/generate.mjs). */
export const named = (tsName: string, tsDoc: string): {readonly tsName: string; readonly tsDoc: string} => ({tsName, tsDoc});

/** An object with these members and no others. Of an unknown one, the message is not what was expected but the names that there are. */
export const object = <Shape extends z.core.$ZodLooseShape>(shape: Shape, expected = 'an object') =>
	z.strictObject(shape, {error: ({code}) => code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : expected});

/** A list of at least `minimum` texts. */
export const texts = (minimum: number, item: string, expected: string) => z.array(text(item), expected).min(minimum, expected);
