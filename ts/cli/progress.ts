import type {OnProgress, ProgressEvent} from '../progress.js';
import {formatBytes, formatCount, formatDuration} from '../report/numbers.js';
import type {Output} from './context.js';

/** A progress display: `onProgress` takes events, `stop` leaves the terminal in order. */
export type Progress = {readonly onProgress: OnProgress | undefined; readonly stop: () => void};

/** A bar for each phase, on a terminal; on anything else, nothing. It ends when `signal` fires. */
export const createProgress = async (stderr: Output, wanted: boolean, signal?: AbortSignal): Promise<Progress> => {
	if (!wanted || !stderr.isTTY) {
		return {onProgress: undefined, stop: () => {}};
	}

	const {default: cliProgress} = await import('cli-progress');
	let latest: ProgressEvent | undefined;
	let startedMs = 0;
	let bar: InstanceType<typeof cliProgress.SingleBar> | undefined;
	const format = (): string => latest === undefined ? '' : progressLine(latest, Date.now() - startedMs).slice(0, (stderr.columns ?? 80) - 1);
	const stop = (): void => {
		bar?.stop();
		bar = undefined;
	};

	const onProgress: OnProgress = event => {
		if (signal?.aborted) {
			return;
		}

		const continues = latest?.phase === event.phase && latest.detail === event.detail && latest.done <= event.done;
		if (!continues) {
			stop();
			startedMs = Date.now();
		}

		latest = event;
		// Lines are cut to the width instead: a terminal whose wrapping was off stays so when the process is ended.
		bar ??= started(new cliProgress.SingleBar({format, stream: stderr, linewrap: true}), event);
		bar.update(event.done);
	};

	// Stopping puts the cursor back where the bar began: not after something else was written.
	signal?.addEventListener('abort', stop, {once: true});
	return {onProgress, stop};
};

const started = <Bar extends {start(total: number, value: number): void}>(bar: Bar, {total, done}: ProgressEvent): Bar => {
	bar.start(total, done);
	return bar;
};

const phaseNames: Readonly<Record<ProgressEvent['phase'], string>> = {
	count: 'counting tokens',
	prove: 'proving the tokenizer',
	layers: 'scoring layers',
	neurons: 'ranking neurons',
	evaluate: 'evaluating',
	write: 'writing',
	verify: 'verifying',
	hash: 'hashing',
};

const barWidth = 24;

/** One line: phase, share, rate, time left. Without a total there is no share and no time left. */
export const progressLine = ({phase, done, total, unit, detail}: ProgressEvent, elapsedMs: number): string => {
	const perSecond = elapsedMs > 0 ? done / elapsedMs * 1000 : 0;
	const name = `${phaseNames[phase]}${detail === undefined ? '' : `, ${detail}`}`;
	const rate = perSecond > 0 ? `${amount(perSecond, unit)}/s` : '';
	if (total <= 0) {
		return [name, amount(done, unit), rate].filter(Boolean).join('  ');
	}

	const share = Math.min(1, done / total);
	const filled = Math.round(share * barWidth);
	const left = perSecond > 0 && done < total ? `${formatDuration((total - done) / perSecond * 1000)} left` : '';
	const end = done >= total ? `in ${formatDuration(elapsedMs)}` : left;
	return [name, `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`, `${Math.floor(100 * share)} %`, rate, end].filter(Boolean).join('  ');
};

const amount = (value: number, unit: ProgressEvent['unit']): string => unit === 'bytes' ? formatBytes(value) : `${formatCount(value)} ${unit}`;
