/** What the model card says about the pruning. */
export type CardSummary = {
	/** Version of flab-pruner. */
	readonly version: string;
	readonly before: CardSizes;
	readonly after: CardSizes;
};

/** Sizes of a model, for the card. */
export type CardSizes = {
	readonly parameters: number;
	/** Of all tensors. */
	readonly bytes: number;
	readonly vocabulary: number;
	readonly layers: number;
	readonly ffnWidth: number;
};

/**
 * README.md of the pruned model: the card of the source with the tag `pruned` and a section with the sizes before and
 * after, ahead of the source's text, which describes the unpruned model. Without a source card, the section alone.
 * The same input gives the same text; a card that has the section already gets the new one in its place.
 */
export const modelCard = (card: string | undefined, summary: CardSummary): string => {
	const {frontMatter, body} = splitCard((card ?? '').replace(/^\uFEFF/, '').replaceAll('\r\n', '\n'));
	const rest = body.replace(oldSection, '').replace(/^\n+/, '');
	const parts = [`---\n${addTag(frontMatter)}---\n`, section(summary), ...(rest === '' ? [] : [rest])];
	return `${parts.join('\n').trimEnd()}\n`;
};

const tag = 'pruned';
const begin = '<!-- flab-pruner: begin -->';
const end = '<!-- flab-pruner: end -->';
const oldSection = new RegExp(`${begin}[^]*?${end}\n*`, 'g');

const splitCard = (card: string): {readonly frontMatter: string; readonly body: string} => {
	const match = /^---\n((?:[^\n]*\n)*?)---[ \t]*(?:\n|$)/.exec(card);
	return match === null ? {frontMatter: '', body: card} : {frontMatter: match[1]!, body: card.slice(match[0].length)};
};

/** Adds the tag to the YAML, whichever of the three usual forms `tags` has there; other forms are left alone. */
const addTag = (yaml: string): string => {
	const flow = /^tags:[ \t]*\[(.*)\][ \t]*$/m.exec(yaml);
	if (flow !== null) {
		const tags = flow[1]!.split(',').map(item => item.trim()).filter(item => item !== '');
		return tags.includes(tag) ? yaml : yaml.replace(flow[0], () => `tags: [${[...tags, tag].join(', ')}]`);
	}

	const list = /^tags:[ \t]*\n((?:[ \t]*- [^\n]*\n)*)/m.exec(yaml);
	if (list !== null) {
		const isThere = new RegExp(`^[ \\t]*- ['"]?${tag}['"]?[ \\t]*$`, 'm').test(list[1]!);
		const indent = /^[ \t]*/.exec(list[1]!)![0];
		return isThere ? yaml : yaml.replace(list[0], () => `${list[0]}${indent}- ${tag}\n`);
	}

	return /^tags:/m.test(yaml) ? yaml : `${yaml}tags:\n- ${tag}\n`;
};

const section = ({version, before, after}: CardSummary): string => {
	const number = (value: number): string => value.toLocaleString('en-US');
	const row = (name: string, key: keyof CardSizes): string => {
		const change = before[key] === 0 ? 0 : (100 * (after[key] - before[key])) / before[key];
		return `| ${name} | ${number(before[key])} | ${number(after[key])} | ${change.toFixed(1)} % |`;
	};

	return [
		begin,
		'## Pruned with flab-pruner',
		'',
		`This model was cut from a larger one with flab-pruner ${version}: whole tokens, layers and FFN neurons were removed, the remaining weights are unchanged. The text after this section is that of the model before.`,
		'',
		'| | before | after | change |',
		'| --- | ---: | ---: | ---: |',
		row('parameters', 'parameters'),
		row('bytes of weights', 'bytes'),
		row('vocabulary', 'vocabulary'),
		row('layers', 'layers'),
		row('FFN width', 'ffnWidth'),
		end,
		'',
	].join('\n');
};
