import {spawnSync} from 'node:child_process';
import fs, {chmod, lstat, mkdir, readdir, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {syncBuiltinESMExports} from 'node:module';
import {dirname, join} from 'node:path';
import test from 'ava';
import {prepareOutput} from '../../ts/checkpoint/publish.js';
import {temporaryFolder, type TestContext} from '../fixtures/pico.js';

type Places = {readonly root: string; readonly model: string; readonly out: string};

const places = async (t: TestContext): Promise<Places> => {
	const root = await temporaryFolder(t);
	const model = join(root, 'model');
	await mkdir(model);
	await writeFile(join(model, 'config.json'), '{}');
	return {root, model, out: join(root, 'out')};
};

const oldFiles = ['config.json', 'model.safetensors', 'old'];

const oldOutput = async (out: string): Promise<void> => {
	await mkdir(out);
	for (const name of oldFiles) {
		await writeFile(join(out, name), 'old');
	}
};

const oldOutputWith = (...folders: readonly string[]) => async (out: string): Promise<void> => {
	await oldOutput(out);
	for (const folder of folders) {
		await mkdir(join(out, folder));
	}
};

test('an output appears complete when it is published, and not before', async t => {
	const {root, model, out} = await places(t);
	const output = await prepareOutput(out, {model});
	t.is(output.path, out);
	t.is(dirname(output.folder), root);
	t.regex(output.folder, new RegExp(`/\\.out\\.tmp-${process.pid}-[0-9a-f]{8}$`));
	await mkdir(join(output.folder, 'sub'));
	await writeFile(join(output.folder, 'sub', 'file'), 'x');
	t.deepEqual((await readdir(root)).sort(), [output.folder.slice(root.length + 1), 'model']);
	await output.publish();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	t.is(await readFile(join(out, 'sub', 'file'), 'utf8'), 'x');
	// Not the 0700 of a temporary folder: others may read models.
	t.is((await lstat(out)).mode & 0o777, (await lstat(model)).mode & 0o777);

	await output.discard();
	t.deepEqual(await readdir(out), ['sub']);
	await t.throwsAsync(output.publish(), {code: 'ERR_INTERNAL'});
});

test('a discarded output leaves nothing, not even the parents made for it', async t => {
	const {root, model} = await places(t);
	const output = await prepareOutput(join(root, 'a', 'b', 'out'), {model});
	await writeFile(join(output.folder, 'file'), 'x');
	await output.discard();
	await output.discard();
	t.deepEqual(await readdir(root), ['model']);
});

test('discarding keeps a parent that something else was put into', async t => {
	const {root, model} = await places(t);
	const output = await prepareOutput(join(root, 'a', 'b', 'out'), {model});
	await writeFile(join(root, 'a', 'other'), 'x');
	await output.discard();
	t.deepEqual(await readdir(join(root, 'a')), ['other']);
});

type Existing = readonly [what: string, make: (out: string) => Promise<void>, got: RegExp];

const replaceable: readonly Existing[] = [
	['a checkpoint', oldOutput, /got a checkpoint$/],
	['a checkpoint with chat templates', oldOutputWith('additional_chat_templates'), /got a checkpoint$/],
	['an empty folder', async out => mkdir(out), /got an empty folder$/],
];

const irreplaceable: readonly Existing[] = [
	['a file', async out => writeFile(out, 'old'), /got a file$/],
	['a dangling link', async out => symlink('nowhere', out), /got a link$/],
	['a link to a checkpoint', async out => {
		await oldOutput(join(dirname(out), 'other'));
		await symlink('other', out);
	}, /got a link$/],
	['somebody\'s work', async out => {
		await mkdir(join(out, 'thesis'), {recursive: true});
		for (const name of ['a.tex', 'b.tex', 'c.tex']) {
			await writeFile(join(out, name), 'old');
		}
	}, /got a folder with a\.tex, b\.tex, c\.tex, 1 more$/],
	['a folder with a config.json without weights', async out => {
		await mkdir(out);
		await writeFile(join(out, 'config.json'), '{}');
	}, /got a folder with config\.json$/],
	['a checkpoint in a repository', oldOutputWith('.git'), /got a checkpoint with \.git\/ in it$/],
	['a training run', oldOutputWith('checkpoint-500', 'runs'), /got a checkpoint with checkpoint-500\/, runs\/ in it$/],
];

for (const [what, make, got] of [...replaceable, ...irreplaceable]) {
	test(`${what} at the output's path is refused without force`, async t => {
		const {root, model, out} = await places(t);
		await make(out);
		const before = await readdir(root, {recursive: true});
		const error = await t.throwsAsync(prepareOutput(out, {model}), {code: 'ERR_OUTPUT_EXISTS', message: got});
		t.regex((error as unknown as {hint: string}).hint, /--force/);
		t.deepEqual(await readdir(root, {recursive: true}), before);
	});
}

for (const [what, make] of replaceable) {
	test(`${what} at the output's path stays until the new output is published with force`, async t => {
		const {root, model, out} = await places(t);
		await make(out);
		const {ino} = await lstat(out);
		const output = await prepareOutput(out, {model, force: true});
		await writeFile(join(output.folder, 'new'), 'new');
		t.is((await lstat(out)).ino, ino);
		await output.publish();
		t.deepEqual(await readdir(out), ['new']);
		t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	});

	test(`${what} at the output's path survives a discard with force`, async t => {
		const {root, model, out} = await places(t);
		await make(out);
		const {ino} = await lstat(out);
		await (await prepareOutput(out, {model, force: true})).discard();
		t.is((await lstat(out)).ino, ino);
		t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	});
}

for (const [what, make, got] of irreplaceable) {
	test(`${what} at the output's path is not replaced, force or not`, async t => {
		const {root, model, out} = await places(t);
		await make(out);
		const before = await readdir(root, {recursive: true});
		const error = await t.throwsAsync(prepareOutput(out, {model, force: true}), {code: 'ERR_OUTPUT_EXISTS', message: got});
		t.regex((error as unknown as {hint: string}).hint, /^Choose another output folder, or remove what is there yourself: --force replaces only /);
		t.deepEqual(await readdir(root, {recursive: true}), before);
	});
}

test('an output that somebody put something into meanwhile is not replaced', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(out);
	const output = await prepareOutput(out, {model, force: true});
	await mkdir(join(out, 'thesis'));
	await t.throwsAsync(output.publish(), {code: 'ERR_OUTPUT_EXISTS', message: /got a checkpoint with thesis\/ in it$/});
	await output.discard();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	t.deepEqual((await readdir(out)).sort(), [...oldFiles, 'thesis']);
});

test('an output that appeared meanwhile is not overwritten', async t => {
	const {root, model, out} = await places(t);
	const output = await prepareOutput(out, {model});
	await oldOutput(out);
	await t.throwsAsync(output.publish(), {code: 'ERR_OUTPUT_EXISTS'});
	await output.discard();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	t.deepEqual((await readdir(out)).sort(), oldFiles);
});

// Replaces fs.rename for one test: serial tests run before the others.
const withRename = async (rename: typeof fs.rename, run: () => Promise<void>): Promise<void> => {
	const original = fs.rename;
	fs.rename = rename;
	syncBuiltinESMExports();
	try {
		await run();
	} finally {
		fs.rename = original;
		syncBuiltinESMExports();
	}
};

test.serial('when the new output can not be put in its place, the old one is put back', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(out);
	const output = await prepareOutput(out, {model, force: true});
	const {rename} = fs;
	const failing: typeof fs.rename = async (from, to) => {
		if (from === output.folder) {
			t.deepEqual(await readdir(root).then(names => names.includes('out')), false);
			throw Object.assign(new Error('no space left'), {code: 'ENOSPC'});
		}

		return rename(from, to);
	};

	await withRename(failing, async () => {
		await t.throwsAsync(output.publish(), {code: 'ERR_WRITE', message: /no space left on the device/});
	});
	t.deepEqual((await readdir(out)).sort(), oldFiles);
	await output.discard();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
});

test('a temporary folder that vanished is ERR_WRITE, and the old output stays', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(out);
	const output = await prepareOutput(out, {model, force: true});
	await rm(output.folder, {recursive: true});
	await t.throwsAsync(output.publish(), {code: 'ERR_WRITE'});
	await output.discard();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	t.deepEqual((await readdir(out)).sort(), oldFiles);
});

const harmful: ReadonlyArray<readonly [what: string, out: (places: Places) => string, message: RegExp]> = [
	['is the model', ({model}) => model, /which is the model itself$/],
	['is the model by another spelling', ({root}) => join(root, 'x', '..', 'model', '.'), /which is the model itself$/],
	['is a link to the model', ({root}) => join(root, 'link'), /which is the model itself$/],
	['lies in the model', ({model}) => join(model, 'pruned'), /which lies in the model's folder/],
	['lies in the model, through a link', ({root}) => join(root, 'link', 'deep', 'pruned'), /which lies in the model's folder/],
	['holds the model', ({root}) => root, /which holds the input/],
	['is the corpus', ({root}) => join(root, 'corpus'), /which is the input/],
	['holds a corpus file', ({root}) => join(root, 'texts'), /which holds the input .*a\.jsonl$/],
	['holds a file that the model links to', ({root}) => join(root, 'blobs'), /which holds the input/],
	['holds the current directory', () => dirname(process.cwd()), /which holds (the current directory|the input .*)$/], // the input too, where the checkout is in the folder for temporary files
	['is the current directory', () => '.', /which is the current directory$/],
];

for (const [what, out, message] of harmful) {
	test(`an output that ${what} is refused, force or not`, async t => {
		const places_ = await places(t);
		const {root, model} = places_;
		for (const folder of ['corpus', 'texts', 'blobs']) {
			await mkdir(join(root, folder));
		}

		await writeFile(join(root, 'texts', 'a.jsonl'), '');
		await writeFile(join(root, 'blobs', 'weights'), '');
		await symlink('../blobs/weights', join(model, 'model.safetensors'));
		await symlink('model', join(root, 'link'));
		const before = await readdir(root, {recursive: true});
		for (const force of [false, true]) {
			await t.throwsAsync(prepareOutput(out(places_), {model, inputs: [join(root, 'corpus'), join(root, 'texts', 'a.jsonl')], force}), {code: 'ERR_BAD_ARGUMENT', message});
		}

		t.deepEqual(await readdir(root, {recursive: true}), before);
	});
}

test('an output inside a corpus folder is fine: only the model is out of bounds', async t => {
	const {root, model} = await places(t);
	await mkdir(join(root, 'corpus'));
	await (await prepareOutput(join(root, 'corpus', 'out'), {model, inputs: [join(root, 'corpus')]})).discard();
	t.deepEqual(await readdir(join(root, 'corpus')), []);
});

test('a parent that is a file is ERR_WRITE, and nothing is left', async t => {
	const {root, model} = await places(t);
	await writeFile(join(root, 'file'), '');
	await t.throwsAsync(prepareOutput(join(root, 'file', 'out'), {model}), {code: 'ERR_WRITE', message: /could not write: a part of the path is not a directory/});
	t.deepEqual((await readdir(root)).sort(), ['file', 'model']);
});

test('a parent that may not be written to is ERR_WRITE', async t => {
	const {root, model} = await places(t);
	const parent = join(root, 'closed');
	await mkdir(parent);
	await chmod(parent, 0o555);
	if (process.getuid?.() === 0) {
		t.log('skipped: root may write everywhere');
		t.pass();
		return;
	}

	await t.throwsAsync(prepareOutput(join(parent, 'out'), {model}), {code: 'ERR_WRITE', message: /permission denied/});
});

test('a place where no folder can be made is ERR_WRITE and not an endless loop', async t => {
	const {model} = await places(t);
	if (process.platform !== 'linux') {
		t.log('skipped: no /proc');
		t.pass();
		return;
	}

	await t.throwsAsync(prepareOutput('/proc/nothing/here/out', {model}), {code: 'ERR_WRITE', message: /^\/proc\/nothing\/here\/out: could not write/});
});

const deadPid = (): number => spawnSync(process.execPath, ['--version']).pid;

test('temporaries of dead processes go, those of living ones and of other outputs stay', async t => {
	const {root, model, out} = await places(t);
	const stays = [`.out.tmp-${process.pid}-00000000`, `.other.tmp-${deadPid()}-00000000`, '.out.tmp-x', `.out.old-1-00000000`];
	for (const name of [...stays, `.out.tmp-${deadPid()}-00000000`]) {
		await oldOutput(join(root, name));
	}

	await (await prepareOutput(out, {model})).discard();
	t.deepEqual((await readdir(root)).sort(), [...stays, 'model'].sort());
});

test('an output that a killed process had moved aside is put back', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(join(root, `.out.old-${deadPid()}-00000000`));
	await t.throwsAsync(prepareOutput(out, {model}), {code: 'ERR_OUTPUT_EXISTS'});
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	t.deepEqual((await readdir(out)).sort(), oldFiles);
});

test('an output that a killed process had already replaced is removed', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(join(root, `.out.old-${deadPid()}-00000000`));
	await mkdir(out);
	await (await prepareOutput(out, {model, force: true})).publish();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
});
