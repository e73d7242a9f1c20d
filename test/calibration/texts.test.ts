import {mkdir, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {readTexts, sourceFiles, sumOf, type Text, type TextSource} from '../../ts/calibration/texts.js';

const root = fileURLToPath(import.meta.url).split(/[/\\](?:build[/\\]tests[/\\])?test[/\\]calibration[/\\]/)[0]!;

const inFolder = async (files: Record<string, string | Buffer>, use: (folder: string) => Promise<void>): Promise<void> => {
	const folder = await mkdtemp(join(tmpdir(), 'flab-texts-'));
	try {
		for (const [name, content] of Object.entries(files)) {
			await mkdir(dirname(join(folder, name)), {recursive: true});
			await writeFile(join(folder, name), content);
		}

		await use(folder);
	} finally {
		await rm(folder, {recursive: true});
	}
};

const all = async (source: TextSource): Promise<Text[]> => {
	const texts: Text[] = [];
	for await (const text of readTexts(source)) {
		texts.push(text);
	}

	return texts;
};

/** [text, record] of every text of one file with this content. */
const read = async (name: string, content: string | Buffer, source: Partial<TextSource> = {}): Promise<Array<[string, number]>> => {
	let found: Array<[string, number]> = [];
	await inFolder({[name]: content}, async folder => {
		found = (await all({paths: [join(folder, name)], ...source})).map(({text, record}) => [text, record]);
	});
	return found;
};

test('JSON lines with a byte-order mark, CRLF, blank lines and no last line end are read, with line numbers', async t => {
	t.deepEqual(await read('a.jsonl', '\uFEFF{"text": "é"}\r\n\r\n  \n{"text": "b\\n"}\n\n{"text": "c"}'), [['é', 1], ['b\n', 4], ['c', 6]]);
});

test('lines longer than a chunk of the stream are read whole', async t => {
	const long = 'é🙂x'.repeat(200_000);
	t.deepEqual(await read('a.jsonl', `{"text": "${long}"}\n{"text": "b"}\n`), [[long, 1], ['b', 2]]);
});

test('the first field present of text, content, code, prompt counts, for each record', async t => {
	t.deepEqual(await read('a.ndjson', '{"prompt": "p", "code": "c"}\n{"prompt": "p"}\n{"content": "x", "text": "t"}\n'), [['c', 1], ['p', 2], ['t', 3]]);
});

test('fields are joined in the order given', async t => {
	t.deepEqual(await read('a.jsonl', '{"a": "1", "b": "2"}', {fields: ['b', 'a']}), [['21', 1]]);
});

test('empty texts are left out', async t => {
	t.deepEqual(await read('a.jsonl', '{"text": ""}\n{"text": " "}'), [[' ', 2]]);
});

for (const [line, message, source] of [
	['{"text": "x"', /, line 2: not valid JSON: /, {}],
	['"x"', /, line 2: expected an object, got "x"$/, {}],
	['[1]', /, line 2: expected an object, got \[1\]$/, {}],
	['null', /, line 2: expected an object, got null$/, {}],
	['{"body": "x"}', /, line 2: expected a field text, content, code or prompt, found body$/, {}],
	['{"text": 3}', /, line 2: expected a string in the field "text", got 3$/, {}],
	['{"text": null}', /, line 2: expected a string in the field "text", got null$/, {}],
	['{"text": "x", "a": "y"}', /, line 2: expected a string in the field "b", found text, a$/, {fields: ['b']}],
	['{"a": "y"}', /, line 2: expected a string in the field "toString", found a$/, {fields: ['toString']}],
] as const) {
	test(`the bad record ${line} is named by file and line`, async t => {
		await inFolder({'a.jsonl': `{"text": "x", "b": "x", "toString": "x"}\n${line}\n`}, async folder => {
			const file = join(folder, 'a.jsonl');
			const error = await t.throwsAsync(all({paths: [file], ...source as Partial<TextSource>}), {code: 'ERR_BAD_DATA', message});
			t.true(error.message.startsWith(file));
		});
	});
}

test('bytes that are no UTF-8 are named by line', async t => {
	await t.throwsAsync(read('a.jsonl', Buffer.from('{"text": "a"}\n{"text": "\xFF"}\n', 'latin1')), {code: 'ERR_BAD_DATA', message: /, line 2: expected UTF-8 text, got other bytes$/});
});

test('a JSON array is read by record, any other JSON file by line', async t => {
	t.deepEqual(await read('a.json', '\uFEFF[{"text": "a"},\n{"text": "b"}]'), [['a', 1], ['b', 2]]);
	t.deepEqual(await read('a.json', '{"text": "a"}\n{"text": "b"}'), [['a', 1], ['b', 2]]);
	await t.throwsAsync(read('a.json', '[{"text": "a"}, {"x": 1}]'), {code: 'ERR_BAD_DATA', message: /a\.json, record 2: expected a field text/});
});

test('CSV with a byte-order mark, CRLF, blank lines and line ends inside quotes is read, with the lines where records begin', async t => {
	t.deepEqual(await read('a.csv', '\uFEFFid,prompt\r\n1,"a ""q""\r\nb"\r\n\r\n2,c\r\n'), [['a "q"\r\nb', 2], ['c', 5]]);
	t.deepEqual(await read('a.csv', 'text\r\n"a\r\n"\r\n\r\n"b\r\n"\r\nc'), [['a\r\n', 2], ['b\r\n', 5], ['c', 7]]);
	t.deepEqual(await read('a.csv', 'prompt,cot\n"a\n\n",b\nc,d\n', {fields: ['cot', 'prompt']}), [['ba\n\n', 2], ['dc', 5]]);
});

for (const [title, content, message] of [
	['too few columns', 'text,b\n1,2\n3\n', /a\.csv, line 3: not valid CSV: /],
	['a quote that is never closed', 'text,b\n1,2\n"3,4\n', /a\.csv, line \d: not valid CSV: /],
	['no field for the text', 'a,b\n1,2\n', /a\.csv, line 2: expected a field text, content, code or prompt, found a, b$/],
] as const) {
	test(`CSV with ${title} is refused`, async t => {
		await t.throwsAsync(read('a.csv', content), {code: 'ERR_BAD_DATA', message});
	});
}

for (const compression of ['none', 'snappy', 'zstd', 'gzip']) {
	test(`Parquet is read row group by row group, compressed with ${compression}`, async t => {
		const path = join(root, 'test', 'calibration', 'parquet', `${compression}.parquet`);
		t.deepEqual((await all({paths: [path]})).map(({text, record}) => [text, record]), [['def a():\n', 1], ['é 🙂', 2]]);
		await t.throwsAsync(all({paths: [path], fields: ['prompt', 'solution']}), {code: 'ERR_BAD_DATA', message: /, row 3: expected a string in the field "solution", got null$/});
		await t.throwsAsync(all({paths: [path], fields: ['text']}), {code: 'ERR_BAD_DATA', message: /: expected a column "text", found id, prompt, solution$/});
		await t.throwsAsync(all({paths: [path], fields: ['id']}), {code: 'ERR_BAD_DATA', message: /, row 1: expected a string in the field "id", got 1$/});
	});
}

test('a damaged Parquet file is refused', async t => {
	const whole = await readFile(join(root, 'test', 'calibration', 'parquet', 'snappy.parquet'));
	for (const cut of [0, 4, 100, whole.length - 1]) {
		await t.throwsAsync(read('a.parquet', whole.subarray(0, cut)), {code: 'ERR_BAD_DATA', message: /a\.parquet: not a readable Parquet file: /});
	}

	const damaged = Buffer.from(whole);
	damaged.fill(0xFF, 4, 300);
	await t.throwsAsync(read('a.parquet', damaged), {code: 'ERR_BAD_DATA'});
});

test('any other file is one text, its line ends as they are, without a byte-order mark', async t => {
	t.deepEqual(await read('a.py', '\uFEFFa\r\n\n b'), [['a\r\n\n b', 1]]);
	t.deepEqual(await read('noextension', 'x'), [['x', 1]]);
});

test('the format can be named', async t => {
	t.deepEqual(await read('a.py', '{"text": "x"}', {format: 'jsonl'}), [['x', 1]]);
	t.deepEqual(await read('a.jsonl', '{"text": "x"}', {format: 'text'}), [['{"text": "x"}', 1]]);
	await t.throwsAsync(read('a.py', 'x', {format: 'xml' as 'text'}), {code: 'ERR_BAD_ARGUMENT', message: 'format: expected \'auto\', \'jsonl\', \'csv\', \'parquet\' or \'text\', got "xml"'});
});

test('a binary file is refused by name and passed over in a folder', async t => {
	await inFolder({'a.py': 'x', 'b.py': Buffer.of(1, 0, 2)}, async folder => {
		t.deepEqual((await all({paths: [folder]})).map(({text}) => text), ['x']);
		await t.throwsAsync(all({paths: [join(folder, 'b.py')]}), {code: 'ERR_BAD_DATA', message: `${join(folder, 'b.py')}: expected text, got a binary file`});
	});
});

const latin1 = Buffer.from('caf\xE9', 'latin1');

for (const [name, content, where] of [
	['a.txt', latin1, ''], ['a.py', Buffer.concat([Buffer.alloc(1e6, 'x'), latin1]), ''], ['a.csv', Buffer.concat([Buffer.from('text\n'), latin1]), ''],
	['a.json', Buffer.concat([Buffer.from('[\n{"text": "'), latin1, Buffer.from('"}]')]), ''], ['a.jsonl', Buffer.concat([Buffer.from('{"text": "'), latin1, Buffer.from('"}')]), ', line 1'],
] as const) {
	test(`${name} in another encoding than UTF-8 is refused`, async t => {
		await inFolder({[name]: content}, async folder => {
			const error = await t.throwsAsync(all({paths: [join(folder, name)]}), {code: 'ERR_BAD_DATA', message: `${join(folder, name)}${where}: expected UTF-8 text, got other bytes`});
			t.regex((error as unknown as {hint: string}).hint, /^Convert the file to UTF-8/);
		});
	});
}

test('CSV whose characters lie across the chunks of the stream is read', async t => {
	const text = `${'é'.repeat(100_000)}x`;
	t.deepEqual(await read('a.csv', `text\n${text}\n`), [[text, 2]]);
});

test('texts in other encodings are passed over in a folder, and told when it is their turn', async t => {
	await inFolder({'a.py': 'x', 'b.py': latin1, 'c.py': Buffer.of(1, 0, 2), 'd.py': 'y', 'e.py': latin1}, async folder => {
		const passedOver: string[] = [];
		const reading = {onPassedOver: (file: string) => passedOver.push(file)};
		for await (const {text} of readTexts({paths: [folder]}, reading)) {
			if (text === 'y') {
				break;
			}
		}

		t.deepEqual(passedOver, [join(folder, 'b.py')]);
		passedOver.length = 0;
		const texts = [];
		for await (const {text} of readTexts({paths: [folder]}, reading)) {
			texts.push(text);
		}

		t.deepEqual([texts, passedOver], [['x', 'y'], [join(folder, 'b.py'), join(folder, 'e.py')]]);
	});
});

test('folders are walked in the order of names, without .git, node_modules, links and other extensions', async t => {
	const files = {'b.py': 'b', 'a/z.ts': 'z', 'a/B.PY': 'B', 'a.py': 'a', 'c.bin': 'c', 'data.jsonl': '{"text": "d"}', '.git/x.py': 'git', 'node_modules/x.js': 'module'};
	await inFolder(files, async folder => {
		await symlink(join(folder, 'b.py'), join(folder, 'link.py'));
		t.deepEqual((await all({paths: [folder]})).map(({text}) => text), ['B', 'z', 'a', 'b']);
		t.deepEqual((await all({paths: [folder], extensions: ['jsonl', '.bin']})).map(({text}) => text), ['c', 'd']);
		t.deepEqual((await all({paths: [join(folder, 'b.py'), join(folder, 'a')]})).map(({text}) => text), ['b', 'B', 'z']);
	});
});

test('a folder without source code is read for its records', async t => {
	await inFolder({'x/b.jsonl': '{"text": "b"}', 'a.csv': 'text,n\na,1\n', 'README': 'no'}, async folder => {
		t.deepEqual((await all({paths: [folder]})).map(({text}) => text), ['a', 'b']);
	});
});

test('a folder with nothing to read is refused', async t => {
	await inFolder({'a.bin': 'x'}, async folder => {
		await t.throwsAsync(all({paths: [folder]}), {code: 'ERR_BAD_DATA', message: `${folder}: expected source or record files in this folder, found 1 .bin`});
	});
	await inFolder({'.git/x.py': ''}, async folder => {
		await t.throwsAsync(all({paths: [folder]}), {code: 'ERR_BAD_DATA', message: `${folder}: expected source or record files in this folder, found none`});
	});
});

test('a folder without the extensions that were named says so, and what is there', async t => {
	await inFolder({'a.js': '', 'b.js': '', 'x/c.md': '', 'd.a': '', 'd.b': '', 'd.c': '', LICENSE: ''}, async folder => {
		const error = await t.throwsAsync(all({paths: [folder], extensions: ['.py', 'pyi']}), {
			code: 'ERR_BAD_DATA', message: `${folder}: expected files that end in .py, pyi in this folder, found 2 .js, 1 .a, 1 .b, 1 .c, 1 .md, ...`,
		});
		t.is((error as unknown as {hint: string}).hint, 'Name other extensions to read (--extension), or the files themselves.');
	});
});

test('a missing path is an ERR_READ', async t => {
	for (const name of ['none.jsonl', 'none.csv', 'none.parquet', 'none.py']) {
		await t.throwsAsync(all({paths: [join(tmpdir(), 'flab-none', name)]}), {code: 'ERR_READ', message: /: could not read: no such file or directory$/});
	}

	await t.throwsAsync(all({paths: []}), {code: 'ERR_BAD_ARGUMENT', message: 'paths: expected at least one file or folder, got []'});
});

test('bytes read grow to the bytes of all sources', async t => {
	const files = {'a.jsonl': '{"text": "a"}\n{"text": "b"}\n', 'b.csv': 'text,n\na,1\nb,2\n', 'c.json': '[{"text": "a"}, {"text": "b"}]', 'd.py': 'x'};
	await inFolder(files, async folder => {
		const source = {paths: Object.keys(files).map(name => join(folder, name))};
		const bytes = (await all(source)).map(({bytesRead}) => bytesRead!);
		t.is(sumOf(await sourceFiles(source)), Object.values(files).reduce((sum, content) => sum + content.length, 0));
		t.is(bytes.at(-1), sumOf(await sourceFiles(source)));
		t.deepEqual(bytes, [...bytes].sort((a, b) => a - b));
		t.is(bytes[1], files['a.jsonl'].length);
	});
});

test('a cancelled reading ends with ERR_ABORTED, an abandoned one closes its file', async t => {
	await inFolder({'a.jsonl': '{"text": "a"}\n'.repeat(100_000), 'a.csv': 'text,n\n' + 'a,1\n'.repeat(100_000)}, async folder => {
		const controller = new AbortController();
		for (const name of ['a.jsonl', 'a.csv']) {
			for await (const {record} of readTexts({paths: [join(folder, name)]})) {
				if (record > 2) {
					break;
				}
			}
		}

		await t.throwsAsync(async () => {
			for await (const {record} of readTexts({paths: [join(folder, 'a.jsonl')]}, {signal: controller.signal})) {
				if (record === 3) {
					controller.abort();
				}

				t.true(record <= 3);
			}
		}, {code: 'ERR_ABORTED'});
	});
});
