// What every kernel file begins with: CUDA, or the emulator that runs the same sources on a CPU (FLAB_EMULATE).
//
// Rules that keep both possible: kernels take their shared memory from SharedMemory(), never from __shared__ variables; lanes talk
// through the functions here; launches go through Launch().
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#ifdef FLAB_EMULATE
#include "base/dtype.h"
#include "cuda/emulator/emulator.h"
#else
#include <cuda_runtime.h>
#endif

namespace flab::cuda {

constexpr int kWarp = 32;

// A bf16 number's bits, and a half's of IEEE 754.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

__device__ __forceinline__ float ToFloat(float value) { return value; }
__device__ __forceinline__ float ToFloat(Bf16 value) {
  const uint32_t wide = static_cast<uint32_t>(value.bits) << 16;
#ifdef FLAB_EMULATE
  float result;
  std::memcpy(&result, &wide, 4);
  return result;
#else
  return __uint_as_float(wide);
#endif
}

__device__ __forceinline__ float ToFloat(F16 value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
#elif defined(FLAB_EMULATE)
  return FromF16(value.bits);
#else
  return 0;
#endif
}

__device__ __forceinline__ uint32_t BitsOf(float value) {
#ifdef FLAB_EMULATE
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
#else
  return __float_as_uint(value);
#endif
}

__device__ __forceinline__ float FloatOf(uint32_t bits) {
#ifdef FLAB_EMULATE
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
#else
  return __uint_as_float(bits);
#endif
}

// Two numbers rounded to nearest even, the first in the lower half; a NaN stays one.
__device__ __forceinline__ uint32_t ToBf16Pair(float low, float high) {
#if defined(__CUDA_ARCH__)
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  const auto round = [](float value) {
    const uint32_t bits = BitsOf(value);
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fffu : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  };
  return round(low) | round(high) << 16;
#endif
}

template <typename T>
__device__ __forceinline__ T Rounded(float value);
template <>
__device__ __forceinline__ float Rounded<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ Bf16 Rounded<Bf16>(float value) {
  return {static_cast<uint16_t>(ToBf16Pair(value, 0) & 0xffff)};
}

// 2^x, to 2 units in the last place, whichever they are; subnormal results are zero.
__device__ __forceinline__ float Exp2(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#elif defined(FLAB_EMULATE)
  return emulator::Exp2(x);
#else
  return 0;
#endif
}

// The same number, which the compiler does not know to be the same: what is computed from it is computed anew, where otherwise a
// result of before would be kept in a register.
__device__ __forceinline__ float Anew(float value) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+f"(value));
#endif
  return value;
}

// Both are computed and one is taken, where the compiler would make a branch of `near ? a : b`, and computations that are independent
// would wait for each other.
__device__ __forceinline__ float Select(bool near, float a, float b) {
#if defined(__CUDA_ARCH__)
  float chosen;
  asm("{\n\t.reg .pred near;\n\tsetp.ne.u32 near, %3, 0;\n\tselp.f32 %0, %1, %2, near;\n\t}" : "=f"(chosen) : "f"(a), "f"(b), "r"(static_cast<unsigned>(near)));
  return chosen;
#else
  return near ? a : b;
#endif
}

// The block's shared memory as one struct. Its bytes are those that the launch asked for.
template <typename T>
__device__ __forceinline__ T& SharedMemory() {
#ifdef FLAB_EMULATE
  return *static_cast<T*>(emulator::Shared(sizeof(T)));
#else
  extern __shared__ __align__(128) unsigned char flab_shared[];
  return *reinterpret_cast<T*>(flab_shared);
#endif
}

// The same where its size is known to the launch only.
template <typename T>
__device__ __forceinline__ T* SharedArray(size_t count) {
#ifdef FLAB_EMULATE
  return static_cast<T*>(emulator::Shared(count * sizeof(T)));
#else
  extern __shared__ __align__(128) unsigned char flab_shared[];
  return reinterpret_cast<T*>(flab_shared);
#endif
}

// `value` of the lane whose number differs in the bits of `mask`. All lanes of the warp take part.
template <typename T>
__device__ __forceinline__ T ShuffleXor(T value, int mask) {
#ifdef FLAB_EMULATE
  const T* values = static_cast<const T*>(emulator::Exchange("shuffle", &value, sizeof(T)));
  return values[(threadIdx.x % kWarp) ^ static_cast<unsigned>(mask)];
#else
  return __shfl_xor_sync(0xffffffffu, value, mask);
#endif
}

// `value` of a lane.
template <typename T>
__device__ __forceinline__ T Shuffle(T value, int lane) {
#ifdef FLAB_EMULATE
  return static_cast<const T*>(emulator::Exchange("shuffle", &value, sizeof(T)))[lane];
#else
  return __shfl_sync(0xffffffffu, value, lane);
#endif
}

// The sum over all lanes, the same in every lane, always added in the same order.
template <typename T>
__device__ __forceinline__ T WarpSum(T value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += ShuffleXor(value, mask);
  return value;
}

__device__ __forceinline__ float WarpMax(float value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value = fmaxf(value, ShuffleXor(value, mask));
  return value;
}

// 16 bytes at an address that is aligned to them.
template <typename T>
__device__ __forceinline__ uint4 Load16(const T* from) {
#ifdef FLAB_EMULATE
  if (reinterpret_cast<uintptr_t>(from) % 16) emulator::Refuse("reads 16 bytes at an address that is not aligned to them", from);
  emulator::CheckPlace(from, 16);
#endif
  return *reinterpret_cast<const uint4*>(from);
}

template <typename T>
__device__ __forceinline__ void Store16(T* to, uint4 value) {
#ifdef FLAB_EMULATE
  if (reinterpret_cast<uintptr_t>(to) % 16) emulator::Refuse("writes 16 bytes at an address that is not aligned to them", to);
  emulator::CheckPlace(to, 16);
#endif
  *reinterpret_cast<uint4*>(to) = value;
}

// Items that are loaded and stored as one, at an address that is aligned to all of them.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T items[kCount];
};

__host__ __device__ constexpr int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline bool IsAligned(const void* address, int64_t bytes) { return reinterpret_cast<uintptr_t>(address) % static_cast<uintptr_t>(bytes) == 0; }

}  // namespace flab::cuda
