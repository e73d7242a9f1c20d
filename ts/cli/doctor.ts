import {diagnosisToText} from '../doctor/text.js';
import {toJson} from '../plan/json.js';
import type {Flags} from './flags.js';
import {plain} from './messages.js';
import type {RunContext} from './run.js';

/** `flab-pruner doctor`: exit code 1 if something keeps flab-pruner from working. */
export const doctor = async ({json}: Flags, {stdout, pipeline, setExitCode}: RunContext): Promise<void> => {
	const diagnosis = await (await pipeline()).doctor();
	stdout.write(json ? toJson(diagnosis) : plain(diagnosisToText(diagnosis)));
	setExitCode(diagnosis.healthy ? 0 : 1);
};
