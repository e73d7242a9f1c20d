/** The binaries that the package is published with. */
export const publishedBinaries = ['prebuilds/linux-x64/flab-pruner.glibc.node', 'prebuilds/linux-x64/flab_cuda.so', 'prebuilds/linux-arm64/flab-pruner.glibc.node'];
