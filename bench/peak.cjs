// Loaded into a Node that is timed: at its end, its largest resident memory in bytes goes to file 3.
// Not from resourceUsage where the system tells better: there a process begins with the peak of the one that started it.

const {readFileSync, writeSync} = require('node:fs');

process.on('exit', () => {
	let bytes = process.resourceUsage().maxRSS * 1024;
	try {
		bytes = Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
	} catch {}

	writeSync(3, String(bytes));
});
