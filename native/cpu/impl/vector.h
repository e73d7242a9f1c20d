// Vectors of floats for the implementation headers of this folder. Every implementation file defines
// FLAB_ISA (its namespace) and FLAB_LANES (floats a register) and is compiled with its own flags.
//
// No standard library here: an inline function of std compiled for AVX-512 could be the copy that the
// linker keeps for everybody.

#include <stdint.h>

namespace flab::FLAB_ISA {

constexpr int64_t kLanes = FLAB_LANES;
typedef float Floats __attribute__((vector_size(FLAB_LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(FLAB_LANES * 4)));
typedef float UnalignedFloats __attribute__((vector_size(FLAB_LANES * 4), aligned(4), may_alias));

static inline Floats Load(const float* p) { return *reinterpret_cast<const UnalignedFloats*>(p); }
static inline void Store(float* p, Floats v) { *reinterpret_cast<UnalignedFloats*>(p) = v; }
static inline Floats Splat(float x) { return Floats{} + x; }
static inline Floats Max(Floats a, Floats b) { return a > b ? a : b; }
static inline Floats Min(Floats a, Floats b) { return a < b ? a : b; }

static inline float SumLanes(Floats v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

static inline float MaxLane(Floats v) {
  float max = v[0];
  for (int i = 1; i < kLanes; ++i) max = v[i] > max ? v[i] : max;
  return max;
}

// e^x = scale * (1 + r + tail), |r| <= ln(2)/2, tail = e^r - 1 - r to 1 ulp, for x in [kExpMin, kExpMax].
struct Exponential {
  Floats scale, r, tail;
};

constexpr float kExpMin = -87, kExpMax = 88;

static inline Exponential SplitExp(Floats x) {
  constexpr float kRound = 12582912;  // 1.5 * 2^23: adding it rounds to an integer
  const Floats n = (x * 1.44269504f + kRound) - kRound;
  Exponential e;
  e.r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts, the first exact in products with n
  const Floats r = e.r;
  // Taylor: the first term left out, r^7 / 9!, is below 2e-9 of the sum.
  Floats p = r * (1.f / 40320) + 1.f / 5040;
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  e.tail = r * r * p;
  e.scale = reinterpret_cast<Floats>((__builtin_convertvector(n, Ints) + 127) << 23);
  return e;
}

static inline Floats Clamp(Floats x) { return Min(Max(x, Splat(kExpMin)), Splat(kExpMax)); }

static inline Floats Exp(Floats x) {
  const Exponential e = SplitExp(Clamp(x));
  return e.scale * (1 + (e.r + e.tail));
}

}  // namespace flab::FLAB_ISA
