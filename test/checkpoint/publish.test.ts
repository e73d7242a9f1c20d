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

const oldOutput = async (out: string): Promise<void> => {
	await mkdir(out);
	await writeFile(join(out, 'old'), 'old');
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

const existing: ReadonlyArray<readonly [what: string, make: (out: string) => Promise<void>, got: RegExp]> = [
	['a file', async out => writeFile(out, 'old'), /got a file$/],
	['a folder that is not empty', oldOutput, /got a folder that is not empty$/],
	['an empty folder', async out => mkdir(out), /got an empty folder$/],
	['a dangling link', async out => symlink('nowhere', out), /got a link$/],
];

for (const [what, make, got] of existing) {
	test(`${what} at the output's path is refused without force`, async t => {
		const {root, model, out} = await places(t);
		await make(out);
		const error = await t.throwsAsync(prepareOutput(out, {model}), {code: 'ERR_OUTPUT_EXISTS', message: got});
		t.regex((error as unknown as {hint: string}).hint, /--force/);
		t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	});

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

test('replacing a link leaves what it points to alone', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(join(root, 'precious'));
	await symlink('precious', out);
	await (await prepareOutput(out, {model, force: true})).publish();
	t.true((await lstat(out)).isDirectory());
	t.deepEqual(await readdir(join(root, 'precious')), ['old']);
});

test('an output that appeared meanwhile is not overwritten', async t => {
	const {root, model, out} = await places(t);
	const output = await prepareOutput(out, {model});
	await oldOutput(out);
	await t.throwsAsync(output.publish(), {code: 'ERR_OUTPUT_EXISTS'});
	await output.discard();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
	t.deepEqual(await readdir(out), ['old']);
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
	t.deepEqual(await readdir(out), ['old']);
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
	t.deepEqual(await readdir(out), ['old']);
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
	t.deepEqual(await readdir(out), ['old']);
});

test('an output that a killed process had already replaced is removed', async t => {
	const {root, model, out} = await places(t);
	await oldOutput(join(root, `.out.old-${deadPid()}-00000000`));
	await mkdir(out);
	await (await prepareOutput(out, {model, force: true})).publish();
	t.deepEqual((await readdir(root)).sort(), ['model', 'out']);
});
