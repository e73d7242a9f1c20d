// Vectors of floats for the implementation headers of this folder. Every implementation file defines
// FLAB_ISA (its namespace) and FLAB_LANES (floats a register) and is compiled with its own flags.
//
// No standard library here: an inline function of std compiled for AVX-512 could be the copy that the
// linker keeps for everybody.

#include <stdint.h>
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace flab::FLAB_ISA {

constexpr int64_t kLanes = FLAB_LANES;
typedef float Floats __attribute__((vector_size(FLAB_LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(FLAB_LANES * 4)));
typedef double Doubles __attribute__((vector_size(FLAB_LANES * 4)));
typedef float UnalignedFloats __attribute__((vector_size(FLAB_LANES * 4), aligned(1), may_alias));
typedef double UnalignedDoubles __attribute__((vector_size(FLAB_LANES * 4), aligned(8), may_alias));
typedef uint16_t UnalignedHalves __attribute__((vector_size(FLAB_LANES * 2), aligned(1), may_alias));

#ifdef __AVX512F__
constexpr __mmask16 kAll = 0xffff;  // of the forms with a mask, the only ones that GCC 12 does not warn about
#endif

static inline Floats Load(const float* p) { return *reinterpret_cast<const UnalignedFloats*>(p); }
static inline void Store(float* p, Floats v) { *reinterpret_cast<UnalignedFloats*>(p) = v; }
// x - 0 is x, which compilers know; 0 + x is not where x is -0, and costs an addition.
static inline Floats Splat(float x) { return x - Floats{}; }

// a > b ? a : b, which compilers don't make one instruction of.
static inline Floats Max(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(kAll, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
  return _mm_max_ps(a, b);
#elif defined(__aarch64__)
  return vmaxnmq_f32(a, b);  // of a NaN and a number the number, where the others take b
#else
  return a > b ? a : b;
#endif
}

// a < b ? a : b
static inline Floats Min(Floats a, Floats b) { return -Max(-a, -b); }

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

// Doubles of one vector of floats. One vector of the compiler's would be twice a register, and go through memory.
struct WideFloats {
  Doubles low, high;
};

static inline WideFloats Widen(Floats v) {
#if defined(__AVX512F__)
  return {_mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, v, 0)), _mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, v, 1))};
#elif defined(__AVX2__)
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
#elif defined(__aarch64__)
  return {vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)};
#else
  static_assert(kLanes == 4);
  return {Doubles{v[0], v[1]}, Doubles{v[2], v[3]}};
#endif
}

static inline void Add(WideFloats& sum, const WideFloats& v) {
  sum.low += v.low;
  sum.high += v.high;
}

static inline double SumLanes(const WideFloats& v) {
  const Doubles pairs = v.low + v.high;
  double sum = 0;
  for (int i = 0; i < kLanes / 2; ++i) sum += pairs[i];
  return sum;
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
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__aarch64__)
  return vcvt_f32_f16(vreinterpret_f16_u16(*reinterpret_cast<const UnalignedHalves*>(p)));
#else
  // Moved to where f32 has them, exponent and mantissa stand for 2^-112 of the value, subnormals included.
  const Ints half = LoadHalves(p), magnitude = (half & 0x7fff) << 13;
  const Ints value = reinterpret_cast<Ints>(reinterpret_cast<Floats>(magnitude) * 0x1p112f);
  const Ints special = magnitude >= (31 << 23);  // all ones where it is infinite or NaN
  return reinterpret_cast<Floats>(value | (special & 0x7f800000) | (half & 0x8000) << 16);
#endif
}

// A vector of which only the first `count` elements are there; the other lanes are `fill`.
template <typename Element>
static inline Floats LoadPart(const Element* p, int64_t count, float fill) {
  if (count == kLanes) return Load(p);
  Element part[kLanes] = {};
  __builtin_memcpy(part, p, count * sizeof(Element));
  Floats v = Load(part);
  for (int64_t i = count; i < kLanes; ++i) v[i] = fill;
  return v;
}

// The integer nearest x / ln(2), for |x| < 2^20: as a float, and in the low bits of an int.
struct Exponent {
  Floats n;
  Ints bits;
};

constexpr float kRound = 12582912;  // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits

static inline Exponent ExponentOf(Floats x) {
  const Floats sum = x * 1.44269504f + kRound;
  return {sum - kRound, reinterpret_cast<Ints>(sum)};
}

// 2^n x, for x and a result from 2^-126 on.
static inline Floats Scale(Floats x, Ints bits) { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(x) + (bits << 23)); }

constexpr float kExpMin = -87, kExpMax = 88;

static inline Floats Exp(Floats x) {
  x = Min(Max(x, Splat(kExpMin)), Splat(kExpMax));
  const Exponent e = ExponentOf(x);
  const Floats r = (x - e.n * 0.693359375f) + e.n * 2.12194440e-4f;  // ln 2 in two parts, the first exact in products with n
  // e^r to 3.1e-9: minimax on |r| <= ln(2) / 2 with the first two coefficients given.
  Floats p = r * 1.38145986e-3f + 8.36871688e-3f;
  p = p * r + 4.16683880e-2f;
  p = p * r + 1.66665206e-1f;
  p = p * r + 4.99999934e-1f;
  p = p * r + 1;
  p = p * r + 1;
  return Scale(p, e.bits);
}

}  // namespace flab::FLAB_ISA
