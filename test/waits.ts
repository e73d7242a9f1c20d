import {availableParallelism, loadavg} from 'node:os';

/** `ms` on processors to oneself; where others compute too, it takes as many times as long as there are more of them than processors. */
export const msUnderLoad = (ms: number): number => ms * Math.max(1, loadavg()[0]! / availableParallelism());
