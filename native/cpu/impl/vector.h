// Vectors of floats for the implementation headers of this folder. Every implementation file defines
// FLAB_ISA (its namespace) and FLAB_LANES (floats a register) and is compiled with its own flags.
//
// No standard library here: an inline function of std compiled for AVX-512 could be the copy that the
// linker keeps for everybody.

#include <stdint.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace flab::FLAB_ISA {

constexpr int64_t kLanes = FLAB_LANES;
typedef float Floats __attribute__((vector_size(FLAB_LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(FLAB_LANES * 4)));
typedef double Doubles __attribute__((vector_size(FLAB_LANES * 8)));
typedef float UnalignedFloats __attribute__((vector_size(FLAB_LANES * 4), aligned(1), may_alias));
typedef uint16_t UnalignedHalves __attribute__((vector_size(FLAB_LANES * 2), aligned(1), may_alias));

#ifdef __AVX512F__
constexpr __mmask16 kAll = 0xffff;  // of the forms with a mask, the only ones that GCC 12 does not warn about
#endif

static inline Floats Load(const float* p) { return *reinterpret_cast<const UnalignedFloats*>(p); }
static inline void Store(float* p, Floats v) { *reinterpret_cast<UnalignedFloats*>(p) = v; }
static inline Floats Splat(float x) { return Floats{} + x; }

// a > b ? a : b, which compilers don't make one instruction of.
static inline Floats Max(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(kAll, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}

// a < b ? a : b
static inline Floats Min(Floats a, Floats b) { return -Max(-a, -b); }
static inline Ints Max(Ints a, Ints b) { return a > b ? a : b; }

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

static inline int32_t MaxLane(Ints v) {
  int32_t max = v[0];
  for (int i = 1; i < kLanes; ++i) max = v[i] > max ? v[i] : max;
  return max;
}

// The types of elements in memory, which need not be aligned.
struct F32 {
  char bytes[4];
};
struct F16 {
  char bytes[2];
};
struct BF16 {
  char bytes[2];
};

static inline Floats Load(const F32* p) { return *reinterpret_cast<const UnalignedFloats*>(p); }

// kLanes numbers of 16 bits, widened without their sign.
static inline Ints LoadHalves(const void* p) {
#if defined(__AVX512F__)
  return reinterpret_cast<Ints>(_mm512_maskz_cvtepu16_epi32(kAll, _mm256_loadu_si256(static_cast<const __m256i*>(p))));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
#else
  return __builtin_convertvector(*static_cast<const UnalignedHalves*>(p), Ints);
#endif
}

static inline Floats Load(const BF16* p) { return reinterpret_cast<Floats>(LoadHalves(p) << 16); }

static inline Floats Load(const F16* p) {
#ifdef __AVX512F__
  return _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#else
  // Moved to where f32 has them, exponent and mantissa stand for 2^-112 of the value, subnormals included.
  const Ints half = LoadHalves(p), magnitude = (half & 0x7fff) << 13;
  const Ints value = reinterpret_cast<Ints>(reinterpret_cast<Floats>(magnitude) * 0x1p112f);
  const Ints special = magnitude >= (31 << 23);  // all ones where it is infinite or NaN
  return reinterpret_cast<Floats>(value | (special & 0x7f800000) | (half & 0x8000) << 16);
#endif
}

// x = n ln(2) + r with |r| <= ln(2) / 2, for |x| < 2^20. The low bits of `n` are those of the integer n.
struct Reduction {
  Ints n;
  Floats r;
};

constexpr float kRound = 12582912;  // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits

static inline Reduction Reduce(Floats x) {
  const Floats sum = x * 1.44269504f + kRound, n = sum - kRound;
#ifdef __FMA__
  // One rounding: off by n times the error of f32's ln 2, 1.9e-9.
  return {reinterpret_cast<Ints>(sum), x - n * 0.693147181f};
#else
  // ln 2 in two parts, the first exact in products with n.
  return {reinterpret_cast<Ints>(sum), (x - n * 0.693359375f) + n * 2.12194440e-4f};
#endif
}

// 2^n x, where that is not below 2^-126.
static inline Floats Scale(Floats x, Ints n) { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(x) + (n << 23)); }

constexpr float kExpMin = -87, kExpMax = 88;

static inline Floats Exp(Floats x) {
  const Reduction e = Reduce(Min(Max(x, Splat(kExpMin)), Splat(kExpMax)));
  // 3.1e-9 of e^r at most: minimax on |r| <= ln(2) / 2 with the first two coefficients given.
  Floats p = e.r * 1.38145986e-3f + 8.36871688e-3f;
  p = p * e.r + 4.16683880e-2f;
  p = p * e.r + 1.66665206e-1f;
  p = p * e.r + 4.99999934e-1f;
  p = p * e.r + 1;
  p = p * e.r + 1;
  return Scale(p, e.n);
}

}  // namespace flab::FLAB_ISA
