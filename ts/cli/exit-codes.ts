import type {FlabErrorCode} from '../errors.js';

/** What the process exits with, by kind of error. 0 is success. */
export const exitCodes: Readonly<Record<FlabErrorCode, number>> = {
	ERR_BAD_ARGUMENT: 2,
	ERR_BAD_FILE: 3,
	ERR_BAD_CONFIG: 3,
	ERR_UNKNOWN_FAMILY: 3,
	ERR_BAD_TOKENIZER: 3,
	ERR_BAD_DATA: 3,
	ERR_BAD_PLAN: 3,
	ERR_READ: 3,
	ERR_OUTPUT_EXISTS: 4,
	ERR_WRITE: 4,
	ERR_PROOF: 5,
	ERR_VERIFY: 5,
	ERR_MEMORY: 6,
	ERR_DEVICE_MEMORY: 6,
	ERR_NATIVE_LOAD: 7,
	ERR_NO_DRIVER: 8,
	ERR_OLD_DRIVER: 8,
	ERR_NO_DEVICE: 8,
	ERR_DEVICE_BUSY: 8,
	ERR_DEVICE_UNSUPPORTED: 8,
	ERR_NO_BACKEND: 8,
	ERR_DEVICE_FAULT: 8,
	ERR_INTERNAL: 70,
	ERR_ABORTED: 130,
};

/** The same for people, as a part of the help. */
export const exitCodeHelp = `Exit codes:
  0    success
  1    doctor found an error
  2    wrong usage: an option or argument
  3    bad input: checkpoint, tokenizer, texts or plan
  4    the output exists, or could not be written
  5    the result is not what it must be (proof of the tokenizer, verification); nothing was published
  6    not enough memory, of the machine or of the GPU
  7    the native addon could not be loaded
  8    the GPU that was asked for can't be used, or failed
  70   a defect of flab-pruner
  130  cancelled (Ctrl-C); nothing was published`;
