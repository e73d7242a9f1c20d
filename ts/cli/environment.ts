/** Variables of the environment that a run goes by, as a part of the help. */
export const environmentHelp = `Environment:
  FLAB_THREADS=N          threads of the process at most (default: as many as the machine grants)
  FLAB_CPU=NAME           generic, avx2, avx512, avx512bf16; on arm64 neon, neonbf16 (default: the best there is)
  FLAB_DEBUG=1            print the stack traces of errors and of their causes
  TMPDIR=FOLDER           where a search for layers keeps states, in a file without a name (default: /tmp)
  FLAB_CUBLASLT=FILE      the cuBLASLt library for products on a GPU (default: found on the library path)
  FLAB_CUDA_LIBRARY=FILE  another CUDA library than the package's
  PREBUILDS_ONLY=1        load the prebuilt binary, not one that was built here`;
