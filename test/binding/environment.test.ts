import {dirname, join} from 'node:path';
import test from 'ava';
import {loadNative, nativeFile} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import {runChild} from './support.js';

const logits = `
	const {native, model} = await reference.openTiny('qwen2-tied');
	const values = await native.logits({model, view: {}, texts: support.manyTexts(2, 9), positions: 'all'}).promise;
	console.log(JSON.stringify({cpu: native.cpu, threads: native.threads, sum: values.reduce((a, b) => a + Math.abs(b), 0)}));`;

const refusal = `
	try {
		(await import(loadUrl)).loadNative();
	} catch (error) {
		console.log(JSON.stringify({name: error.name, code: error.code, message: error.message, hint: error.hint}));
	}`;

test('an unknown FLAB_CPU is refused with a sentence that names what this processor has, and a hint', async t => {
	const {code, signal, out, errors} = await runChild(refusal, {environment: {FLAB_CPU: 'nonsense'}});
	t.is(signal, null, errors);
	t.is(code, 0, errors);
	const error = JSON.parse(out) as {name: string; code: string; message: string; hint: string};
	t.is(error.name, 'FlabError');
	t.is(error.code, 'ERR_BAD_ARGUMENT');
	t.regex(error.message, /^FLAB_CPU: expected an instruction set that this processor has \((\w+, )*generic\), got "nonsense"$/);
	t.is(error.hint, 'Set FLAB_CPU to one of these, or unset it.');
	t.true(error.message.includes(loadNative().cpu));
});

for (const wanted of ['1.5', '1e3', '0x2', '0', '-1', 'many']) {
	test(`FLAB_THREADS=${wanted} is refused as no number of threads`, async t => {
		const {code, out, errors} = await runChild(refusal, {environment: {FLAB_THREADS: wanted}});
		t.is(code, 0, errors);
		t.deepEqual(JSON.parse(out), {
			name: 'FlabError', code: 'ERR_BAD_ARGUMENT', message: `FLAB_THREADS: expected a whole number of at least 1, got "${wanted}"`, hint: 'Set FLAB_THREADS to a number of threads, or unset it.',
		});
	});
}

test('FLAB_CPU=generic runs the plain implementation, with the same logits up to rounding', async t => {
	const plain = await runChild(logits, {environment: {FLAB_CPU: 'generic'}});
	const best = await runChild(logits, {environment: {FLAB_CPU: ''}});
	t.is(plain.code, 0, plain.errors);
	t.is(best.code, 0, best.errors);
	const [a, b] = [JSON.parse(plain.out), JSON.parse(best.out)] as Array<{cpu: string; sum: number}>;
	t.is(a!.cpu, 'generic');
	t.is(b!.cpu, loadNative().cpu);
	t.true(Math.abs(a!.sum / b!.sum - 1) < 1e-6, `${a!.sum}, ${b!.sum}`);
});

test('FLAB_THREADS=1 leaves one thread, and jobs still end', async t => {
	const {code, signal, out, errors} = await runChild(logits, {environment: {FLAB_THREADS: '1'}});
	t.is(signal, null, errors);
	t.is(code, 0, errors);
	t.is((JSON.parse(out) as {threads: number}).threads, 1);
});

test('with PREBUILDS_ONLY=1 the tests run on the packed binary', t => {
	if (process.env['PREBUILDS_ONLY'] === '1') {
		t.is(dirname(nativeFile()), join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}`));
	} else {
		t.log('skipped: PREBUILDS_ONLY is not set (npm run test:prebuilt sets it)');
		t.pass();
	}
});
