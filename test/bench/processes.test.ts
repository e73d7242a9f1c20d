import {existsSync} from 'node:fs';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import test from 'ava';
import {load} from './load.js';

const {read, run, serve} = await load('processes.mjs');

const node = (program: string) => [process.execPath, ['--input-type=module', '--eval', program]] as const;

test('a server answers one line after the other and ends when it is not asked any more', async t => {
	const server = serve('it', ...node('import {createInterface} from "node:readline"; for await (const line of createInterface({input: process.stdin})) console.log(JSON.stringify({line}));'));
	t.deepEqual([await server.ask('a'), await server.ask('b')], [{line: 'a'}, {line: 'b'}]);
	await server.stop();
});

test('a server that dies is told from what it said last', async t => {
	const server = serve('it', ...node('process.stdin.once("data", () => { console.error("no memory\\nat all"); process.exitCode = 3; process.stdin.destroy(); })'));
	await t.throwsAsync(server.ask('a'), {message: 'it ended with 3:\nno memory\nat all'});
});

test('a server that is killed, and one that just leaves', async t => {
	await t.throwsAsync(serve('it', ...node('process.kill(process.pid, "SIGKILL")')).ask('a'), {message: 'it ended by SIGKILL, for want of memory perhaps'});
	await t.throwsAsync(serve('it', ...node('')).ask('a'), {message: 'it ended without an answer'});
});

test('an answer that is not JSON is shown', async t => {
	await t.throwsAsync(serve('it', ...node('console.log("hello")')).next(), {message: 'it answered with something that is not JSON: hello'});
});

test('a program that is not there', async t => {
	const message = 'it could not be started: /nowhere/at-all was not found';
	await t.throwsAsync(read('it', '/nowhere/at-all', []), {message});
	await t.throwsAsync(serve('it', '/nowhere/at-all', []).next(), {message});
});

test('what a program prints, and what it writes to file 3', async t => {
	t.is(await read('it', ...node('console.log("out")')), 'out\n');
	t.is(await run('it', ...node('import {writeSync} from "node:fs"; console.log("out"); writeSync(3, "result")')), 'result');
	await t.throwsAsync(run('it', ...node('process.exitCode = 1')), {message: 'it ended with 1'});
	await t.throwsAsync(run('it', ...node('console.log("a mistake"); process.exitCode = 1')), {message: 'it ended with 1:\na mistake'});
});

test('cleaning up ends a program with those it started, removes folders, and nothing starts after that', async t => {
	const {cleanUp, serve, temporaryFolder} = await load('processes.mjs', 'ended');
	const folder = await temporaryFolder();
	await mkdir(join(folder, 'inside'));
	await writeFile(join(folder, 'inside', 'file'), 'x');
	const sleeper = 'setInterval(() => {}, 1000)';
	const server = serve('it', ...node(`import {spawn} from 'node:child_process'; const {pid} = spawn(process.execPath, ['--eval', '${sleeper}']); console.log(pid); ${sleeper}`));
	const pid = await server.next();
	t.notThrows(() => process.kill(pid, 0));
	await cleanUp();
	t.false(existsSync(folder));
	await t.throwsAsync(server.next(), {message: /^it ended by SIGKILL/});
	// The grandchild is gone as soon as whoever inherits orphans has noticed.
	const gone = () => {
		try {
			process.kill(pid, 0);
			return false;
		} catch {
			return true;
		}
	};

	for (let i = 0; i < 100 && !gone(); i++) {
		await new Promise(resolve => {
			setTimeout(resolve, 20);
		});
	}

	t.true(gone());
	t.throws(() => serve('it', ...node('')), {message: 'it was not started any more'});
});
