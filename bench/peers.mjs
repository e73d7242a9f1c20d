// The server of the peers: a Python with PyTorch and transformers that runs peers.py.

import {fileURLToPath} from 'node:url';
import {UsageError} from './flags.mjs';
import {ProcessError, serve} from './processes.mjs';

const script = fileURLToPath(new URL('peers.py', import.meta.url));

// Linux may leave two threads of OpenMP on one processor for seconds: each has its own, as guides to PyTorch on CPUs advise. And
// where idle threads would spin for 200 ms before they sleep, 20 are enough to be there for the next operation of the same run.
const {OMP_PROC_BIND = 'true', OMP_PLACES = 'cores', KMP_BLOCKTIME = '20'} = process.env;

/**
 * Starts the server, which waits for `begin` before it loads anything.
 *
 * @throws UsageError if this Python can't have peers
 */
export const startPeers = async python => {
	const server = serve('the server of the peers (bench/peers.py)', python, [script], {environment: {OMP_PROC_BIND, OMP_PLACES, KMP_BLOCKTIME}});
	try {
		await server.next();
	} catch (error) {
		if (error instanceof ProcessError) {
			throw new UsageError(error.code === 2 && error.said !== '' ? `--peers: ${error.said}`
				: `--peers needs a Python with torch and transformers (pip install torch transformers), named by --python: ${error.message}`);
		}

		throw error;
	}

	return {
		...server,
		/** Loads PyTorch; gives the versions, and a function from a case's name to those of its peers. */
		async begin({threads, models}) {
			const {versions, peers} = await server.ask(JSON.stringify({threads, models}));
			return {versions, peersOf: name => Object.entries(peers).find(([beginning]) => name.startsWith(`${beginning}/`))?.[1] ?? []};
		},
	};
};
