/** A text: a string, or an object that has it. */
export type TextItem = string | {readonly text: string};

/** Texts that the caller makes, one after the other. */
export type TextStream = Iterable<TextItem> | AsyncIterable<TextItem>;

/** Texts that the caller gives instead of files: an iterable, or a function that makes one. The next text is asked for when the last one is done with. */
export type GivenTexts = TextStream | (() => TextStream | Promise<TextStream>);

/** The same where the texts are read more than once: a list, or a function that makes the same ones each time. */
export type RepeatableTexts = readonly TextItem[] | (() => TextStream | Promise<TextStream>);

const has = (value: unknown, symbol: symbol): boolean => typeof value === 'object' && value !== null && typeof (value as Record<symbol, unknown>)[symbol] === 'function';

/** Whether a value is texts that the caller gives. */
export const isGivenTexts = (value: unknown): value is GivenTexts => typeof value === 'function' || has(value, Symbol.asyncIterator) || has(value, Symbol.iterator);

/** The same without the word `texts` around it: a list would be one of paths. */
export const isTextStream = (value: unknown): value is GivenTexts => typeof value === 'function' || has(value, Symbol.asyncIterator);

/** Whether texts can be read more than once. */
export const isRepeatable = (texts: unknown): texts is RepeatableTexts => typeof texts === 'function' || Array.isArray(texts);
