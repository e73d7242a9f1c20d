#include "cpu/kernels.h"

#include <cstdlib>
#include <string>

#include "base/error.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace flab {

namespace generic { extern const Kernels kKernels; }
#if defined(__x86_64__)
namespace avx2 { extern const Kernels kKernels; }
namespace avx512 { extern const Kernels kKernels; }
namespace avx512bf16 {
extern decltype(Kernels::tile_bf16) const kTileBF16;
extern decltype(Kernels::to_bf16) const kToBF16;
}  // namespace avx512bf16
#elif defined(__aarch64__)
namespace neon { extern const Kernels kKernels; }
namespace neonbf16 {
extern decltype(Kernels::tile_bf16) const kTileBF16;
extern decltype(Kernels::to_bf16) const kToBF16;
}  // namespace neonbf16
#endif

namespace {

struct Choice {
  const Kernels* kernels;
  bool available;
};

#ifdef __aarch64__
// What the kernel says that the processor has. Elsewhere than on Linux only what every such processor has is taken.
bool HasNeon() {
#ifdef __linux__
  return getauxval(AT_HWCAP) & HWCAP_ASIMD;
#else
  return true;
#endif
}

bool HasBF16() {
#ifdef __linux__
  constexpr unsigned long kBF16 = 1ul << 14;  // HWCAP2_BF16, which older headers don't name: BFMMLA and BFCVTN
  return getauxval(AT_HWCAP2) & kBF16;
#else
  return false;
#endif
}
#endif

Kernels Choose() {
#if defined(__x86_64__)
  Kernels with_bf16 = avx512::kKernels;
  with_bf16.name = "avx512bf16";
  with_bf16.tile_bf16 = avx512bf16::kTileBF16;
  with_bf16.to_bf16 = avx512bf16::kToBF16;
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const Choice choices[] = {{&with_bf16, has_avx512 && __builtin_cpu_supports("avx512bf16")},
                            {&avx512::kKernels, has_avx512},
                            {&avx2::kKernels, has_avx2},
                            {&generic::kKernels, true}};
#elif defined(__aarch64__)
  Kernels with_bf16 = neon::kKernels;
  with_bf16.name = "neonbf16";
  with_bf16.tile_bf16 = neonbf16::kTileBF16;
  with_bf16.to_bf16 = neonbf16::kToBF16;
  const Choice choices[] = {{&with_bf16, HasNeon() && HasBF16()}, {&neon::kKernels, HasNeon()}, {&generic::kKernels, true}};
#else
  const Choice choices[] = {{&generic::kKernels, true}};
#endif
  const char* wanted = std::getenv("FLAB_CPU");
  std::string names;
  for (const auto& choice : choices) {
    if (!choice.available) continue;
    if (!wanted || !*wanted || std::string(wanted) == choice.kernels->name) return *choice.kernels;
    names += (names.empty() ? "" : ", ") + std::string(choice.kernels->name);
  }
  throw Error("ERR_BAD_ARGUMENT", "FLAB_CPU: expected an instruction set that this processor has (" + names + "), got \"" + wanted + "\"");
}

}  // namespace

const Kernels& ActiveKernels() {
  static const Kernels kernels = Choose();
  return kernels;
}

}  // namespace flab
