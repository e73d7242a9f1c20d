/** What prebuilt binaries are published for, as PLATFORM-ARCH. */
export const platforms = ['linux-x64', 'linux-arm64'];

/** Paths of the prebuilt binaries in the package. */
export const prebuiltFiles = (names = platforms) => names.map(name => `prebuilds/${name}/flab-pruner.glibc.node`);
