import {parentPort, workerData} from 'node:worker_threads';
import {packError} from './messages.js';
import type {FromWorker} from './messages.js';

/** Answers the requests of a `WorkerPool`, in a module that it runs. `work` is made from what the pool gives every thread. */
export const serve = <Data, Request, Answer>(start: (data: Data) => (request: Request, tell: (news: number) => void) => Answer | Promise<Answer>): void => {
	const port = parentPort!;
	const send = (message: FromWorker): void => {
		port.postMessage(message);
	};

	let work: ReturnType<typeof start> | undefined;
	port.on('message', async (request: Request) => {
		try {
			work ??= start(workerData as Data);
			send({answer: await work(request, news => {
				send({news});
			})});
		} catch (error) {
			send({error: packError(error)});
		}
	});
};
