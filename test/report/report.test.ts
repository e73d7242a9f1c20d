import test from 'ava';
import {parsePlan, planToJson} from '../../ts/plan/plan.js';
import {reportToHtml} from '../../ts/report/html.js';
import {inspectionToText} from '../../ts/report/inspection.js';
import {reportToMarkdown} from '../../ts/report/markdown.js';
import {reportToJson} from '../../ts/report/report.js';
import {reportTable} from '../../ts/report/table.js';
import {reportToText} from '../../ts/report/text.js';
import {racingPlan} from '../plan/examplePlan.js';
import {exampleInspection} from './exampleInspection.js';
import {exampleReport} from './exampleReport.js';

test('the result table shows sizes, divergence and the change of the loss against the original', t => {
	t.is(reportTable(exampleReport().plan.stages), [
		'stage         vocabulary  layers  FFN width  parameters   bytes  KL nats  loss nats/byte  change',
		'------------  ----------  ------  ---------  ----------  ------  -------  --------------  ------',
		'original              12       4          8       135 M  269 MB        -          0.8000       -',
		'+ vocabulary          10       4          8       112 M  224 MB        0          0.7800  -2.5 %',
		'+ FFN                 10       3          4      98.0 M  196 MB   4.5e-4          0.8400  +5.0 %',
		'',
	].join('\n'));
});

test('the terminal is told where the output is, what was saved and how it was verified', t => {
	const text = reportToText(exampleReport(), './pruned');
	t.regex(text, /^written to \.\/pruned: 2 files, 196 MB; weights -27\.2 %, parameters -27\.1 %$/m);
	t.regex(text, /^verified: logits within 3\.0e-7 of the masked original \(accepted: 1\.0e-5\) on 300 positions$/m);
	t.regex(reportToText({...exampleReport(), verification: null}, 'x'), /^not verified$/m);
});

test('the work of the search is told where it was noted', t => {
	const report = {...exampleReport(), plan: racingPlan()};
	t.regex(reportToText(report, 'x'), /^search: racing, 18\.3 M of 61\.2 M token-layers \(29\.9 %\)$/m);
	t.notRegex(reportToText(exampleReport(), 'x'), /token-layers/);
	for (const text of [reportToMarkdown(report), reportToHtml(report)]) {
		t.regex(text.replaceAll('\\', ''), /racing, kl, positions: last, 18\.3 M of 61\.2 M token-layers \(29\.9 %\)/);
		t.regex(text, /texts( \||<)/);
		t.true(text.includes('1,200'));
	}
});

test('a report as JSON is read back as it was', t => {
	t.deepEqual(JSON.parse(reportToJson(exampleReport())), exampleReport());
	t.deepEqual(parsePlan(planToJson(JSON.parse(reportToJson(exampleReport())).plan), 'p'), exampleReport().plan);
});

const everything = [
	'tiny', 'qwen2', '0.0123', '4.5e-4', '2 (dropped)', '0.750', 'wanda', '0.995', 'closure', '1.5e-5', '23.4', '299 of 300', '1 min 24 s', '820 ms', '512 MB', '1,200',
	'c'.repeat(64), 'd'.repeat(64), 'e'.repeat(64), 'a'.repeat(64), 'f'.repeat(64), 'All calibration texts end in the same token', '-2.5 %', 'block influence',
];

for (const [name, render] of Object.entries({Markdown: reportToMarkdown, HTML: reportToHtml})) {
	test(`the ${name} report says everything that a choice was made on`, t => {
		const text = render(exampleReport());
		for (const part of everything) {
			t.true(text.includes(part.replace('0.750', '0.75')), part);
		}
	});

	test(`a plan alone can be told as ${name}, without output and verification`, t => {
		const text = render({plan: exampleReport().plan});
		t.false(/Output|Verification/.test(text));
		t.true(text.includes('wanda'));
	});

	test(`a part that was not pruned is not in the ${name} report`, t => {
		const report = exampleReport();
		const text = render({...report, plan: {...report.plan, vocabulary: null, layers: null, ffn: null, data: {}, warnings: []}});
		t.false(/>(Vocabulary|Layers|FFN|Warnings)<|## (Vocabulary|Layers|FFN|Warnings)/.test(text));
		t.true(text.includes('No texts were used.'));
	});
}

const hostile = '<script>alert("1")</script>|`x`\n# title & \'y\'';
const hostileReport = () => {
	const report = exampleReport();
	return {
		...report,
		output: {...report.output, files: {[hostile]: {bytes: 1}}},
		plan: {
			...report.plan,
			options: {...report.plan.options, model: hostile},
			warnings: [hostile],
			source: {...report.plan.source, family: hostile},
			vocabulary: {...report.plan.vocabulary!, proof: {[hostile]: hostile}},
		},
	};
};

test('nothing in the HTML report can become markup or be loaded from elsewhere', t => {
	const html = reportToHtml(hostileReport());
	t.false(html.includes('<script'));
	t.true(html.includes('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;|`x`\n# title &amp; &#39;y&#39;'));
	t.notRegex(html, /(src|href|url)\s*[=(]|@import/);
	t.is(html.match(/<table>/g)?.length, html.match(/<\/table>/g)?.length);
});

test('nothing in the Markdown report can become markup, a new line or a new cell', t => {
	const markdown = reportToMarkdown(hostileReport());
	t.notRegex(markdown, /(?<!\\)<script/);
	t.notRegex(markdown, /^# title/m);
	const tables = markdown.split('\n').filter(line => line.startsWith('|'));
	t.true(tables.every(line => line.endsWith('|')));
	t.true(markdown.includes(String.raw`| \<script\>alert("1")\</script\>\|\`x\` \# title \& 'y' | 1 | - |`));
});

test('an inspection shows family, sizes, components and what can be pruned', t => {
	const text = inspectionToText(exampleInspection());
	for (const part of [
		/^family +qwen2$/m,
		/^weights +135 M parameters, 269 MB, BF16 F32$/m,
		/^layers +30, width 576, FFN width 1,536$/m,
		/^attention +9 query heads, 3 key\/value heads of width 64$/m,
		/^vocabulary +49,152, embedding and LM head tied$/m,
		/^tokenizer +BPE, 49,152 tokens, 17 added, 48,900 merges$/m,
		/^embedding +28\.3 M +56\.6 MB +21\.0 %$/m,
		/^tokens +49,152 +576 +1\.15 kB$/m,
	]) {
		t.regex(text, part);
	}

	t.regex(inspectionToText({...exampleInspection(), tokenizer: undefined, tied: false}), /^vocabulary .* LM head of its own\ntokenizer +none$/m);
});
