import process from 'node:process';

/** Version of the system's glibc, as "2.36"; undefined where the C library is another one. */
export const glibcVersion = (): string | undefined => {
	if (process.platform !== 'linux') {
		return undefined;
	}

	const report = process.report as NodeJS.ProcessReport & {excludeNetwork: boolean};
	// The names of network peers in it may take seconds to look up.
	const {excludeNetwork} = report;
	report.excludeNetwork = true;
	try {
		const {header} = report.getReport() as unknown as {readonly header: {readonly glibcVersionRuntime?: string}};
		return header.glibcVersionRuntime;
	} finally {
		report.excludeNetwork = excludeNetwork;
	}
};
