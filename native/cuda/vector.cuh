// Neighbouring numbers of a lane: four at a time where rows are aligned to 16 bytes, else one.
#pragma once

#include "cuda/kernel.cuh"

namespace flab::cuda {

template <int kCount>
struct Floats {
  float at[kCount];
};

// At an address that is aligned to 16 bytes if kCount is 4.
template <int kCount>
__device__ __forceinline__ Floats<kCount> LoadFloats(const float* from) {
  static_assert(kCount == 1 || kCount == 4);
  if constexpr (kCount == 1) {
    return {{*from}};
  } else {
    const uint4 bits = Load16(from);
    return {{FloatOf(bits.x), FloatOf(bits.y), FloatOf(bits.z), FloatOf(bits.w)}};
  }
}

template <int kCount>
__device__ __forceinline__ void StoreFloats(float* to, const Floats<kCount>& values) {
  if constexpr (kCount == 1) {
    *to = values.at[0];
  } else {
    Store16(to, {BitsOf(values.at[0]), BitsOf(values.at[1]), BitsOf(values.at[2]), BitsOf(values.at[3])});
  }
}

// Rounded; at an address that is aligned to 8 bytes if kCount is 4.
template <int kCount>
__device__ __forceinline__ void StoreFloats(Bf16* to, const Floats<kCount>& values) {
  if constexpr (kCount == 1) {
    *to = Rounded<Bf16>(values.at[0]);
  } else {
#ifdef FLAB_EMULATE
    if (reinterpret_cast<uintptr_t>(to) % 8) emulator::Refuse("writes 8 bytes at an address that is not aligned to them", to);
#endif
    *reinterpret_cast<uint2*>(to) = {ToBf16Pair(values.at[0], values.at[1]), ToBf16Pair(values.at[2], values.at[3])};
  }
}

}  // namespace flab::cuda
