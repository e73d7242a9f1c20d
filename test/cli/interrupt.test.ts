import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {text} from 'node:stream/consumers';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {msUnderLoad} from '../waits.js';

const script = fileURLToPath(new URL('waiting.js', import.meta.url));

const startChild = (...argv: readonly string[]) => {
	const child = spawn(process.execPath, [script, ...argv], {stdio: ['ignore', 'pipe', 'pipe']});
	const working = new Promise<void>(resolve => {
		child.stderr.on('data', chunk => {
			if (String(chunk).includes('working')) {
				resolve();
			}
		});
	});
	return {child, working, stderr: text(child.stderr), exit: once(child, 'exit') as Promise<[code: number | null, signal: string | null]>};
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	test(`${signal} lets the work clean up and ends with 130 within a second`, async t => {
		const {child, working, stderr, exit} = startChild('willing', 'prune', 'm', '--out', 'o', '--corpus', 'c');
		await working;
		const startedMs = Date.now();
		child.kill(signal);
		t.deepEqual(await exit, [130, null]);
		t.true(Date.now() - startedMs < msUnderLoad(1000));
		t.regex(await stderr, new RegExp(`stopping \\(${signal}\\)[^]*cleaned up\nerror ERR_ABORTED: The operation was cancelled\n$`));
	});
}

test('a second SIGINT does not wait for the clean-up', async t => {
	const {child, working, stderr, exit} = startChild('stubborn', 'prune', 'm', '--out', 'o', '--corpus', 'c');
	await working;
	child.kill('SIGINT');
	await once(child.stderr, 'data');
	child.kill('SIGINT');
	t.deepEqual(await exit, [130, null]);
	t.notRegex(await stderr, /cleaned up/);
});

test('a reader that stops reading is no crash', async t => {
	const {child, stderr, exit} = startChild('willing', 'inspect', 'm', '--json');
	child.stdout.once('data', () => child.stdout.destroy());
	t.deepEqual(await exit, [0, null]);
	t.is(await stderr, '');
});
