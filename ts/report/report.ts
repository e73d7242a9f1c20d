import {toJson} from '../plan/json.js';
import type {Report} from '../plan/types.js';

export type {DeviceReport, Output, Report, Timing, Verification} from '../plan/types.js';

/** What can be rendered: a report, or a plan that has not been carried out. */
export type Reportable = Pick<Report, 'plan'> & Partial<Report>;

/** A report as JSON text, ending in a line break. */
export const reportToJson = (report: Reportable): string => toJson(report);
