// Renderers for values that may be anything: the ones of this program render what it has made itself.

import {parsed} from '../plan/parsed.js';
import * as html from './html.js';
import * as markdown from './markdown.js';
import * as json from './report.js';
import type {Reportable} from './report.js';
import {reportSchema} from './schema.js';

const reportableSchema = reportSchema.partial().extend({plan: reportSchema.shape.plan});

const checked = (render: (report: Reportable) => string) => (report: Reportable): string => {
	parsed(reportableSchema, report, 'report', 'Pass what prune and apply give back, or {plan} for a plan.');
	return render(report);
};

export const reportToJson = checked(json.reportToJson);
export const reportToMarkdown = checked(markdown.reportToMarkdown);
export const reportToHtml = checked(html.reportToHtml);
