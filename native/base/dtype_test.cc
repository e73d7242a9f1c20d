// Conversions, over all 65,536 values of each 16-bit type, against arithmetic in doubles.

#include "base/dtype.h"

#include <cmath>
#include <limits>

#include "base/tensor.h"
#include "base/testing.h"

namespace flab {
namespace {

// The number that sign, exponent and mantissa bits stand for, by the definition of IEEE 754.
double ValueOf(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
  const int exponent = static_cast<int>(bits >> mantissa_bits) & top;
  const double mantissa = bits & ((1u << mantissa_bits) - 1);
  const double sign = bits >> (exponent_bits + mantissa_bits) ? -1 : 1;
  if (exponent == top) return mantissa > 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

bool Same(float got, double expected) {
  if (std::isnan(expected)) return std::isnan(got);
  return got == expected && std::signbit(got) == std::signbit(expected);
}

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// The bf16 nearest to a finite f32, ties to the even one, found among its two neighbours.
uint16_t NearestBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint16_t low = static_cast<uint16_t>(bits >> 16), high = static_cast<uint16_t>(low + 1);
  const double exact = std::fabs(static_cast<double>(value));
  const double below = std::fabs(ValueOf(low, 8, 7));
  // Past the largest finite bf16 the next step would be 2^128; its bits are those of infinity.
  const double above = (high & 0x7fff) == 0x7f80 ? std::ldexp(1, 128) : std::fabs(ValueOf(high, 8, 7));
  if (exact - below != above - exact) return exact - below < above - exact ? low : high;
  return low % 2 == 0 ? low : high;
}

TEST("every bf16 widens to the number that its bits stand for") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    EXPECT(Same(FromBF16(static_cast<uint16_t>(bits)), ValueOf(bits, 8, 7)), "bits ", bits);
  }
}

TEST("every f16 widens to the number that its bits stand for") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    EXPECT(Same(FromF16(static_cast<uint16_t>(bits)), ValueOf(bits, 5, 10)), "bits ", bits);
  }
}

TEST("every bf16 survives widening and rounding; a NaN stays a NaN") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t back = ToBF16(FromBF16(static_cast<uint16_t>(bits)));
    if (std::isnan(ValueOf(bits, 8, 7))) {
      EXPECT(std::isnan(FromBF16(back)), "bits ", bits);
    } else {
      EXPECT(back == bits, "bits ", bits, " became ", back);
    }
  }
}

TEST("f32 rounds to the nearest bf16, ties to even, at and around every tie") {
  for (uint32_t high = 0; high < 65536; ++high) {
    for (const uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float value = FloatOf(high << 16 | low);
      const uint16_t got = ToBF16(value);
      if (std::isnan(value)) {
        EXPECT(std::isnan(FromBF16(got)), "bits ", high << 16 | low);
      } else if (std::isinf(value)) {
        EXPECT(got == high, "bits ", high << 16 | low);
      } else {
        EXPECT(got == NearestBF16(value), "bits ", high << 16 | low, " became ", got);
      }
    }
  }
}

TEST("tensors of each dtype widen from any byte, in any part") {
  testing::Random random(1);
  constexpr int64_t kRows = 5, kColumns = 7;
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16}) {
    for (const int64_t shift : {0, 1, 3}) {
      std::vector<std::byte> memory(shift + kRows * kColumns * ItemBytes(dtype));
      std::vector<float> expected;
      for (int64_t i = 0; i < kRows * kColumns; ++i) {
        const uint16_t half = static_cast<uint16_t>(random.Below(0x7c00));  // finite as f16 and as bf16
        const float value = dtype == Dtype::kF32 ? static_cast<float>(random.Normal()) : static_cast<float>(ValueOf(half, dtype == Dtype::kF16 ? 5 : 8, dtype == Dtype::kF16 ? 10 : 7));
        std::memcpy(memory.data() + shift + i * ItemBytes(dtype), dtype == Dtype::kF32 ? static_cast<const void*>(&value) : &half, ItemBytes(dtype));
        expected.push_back(value);
      }
      const Tensor tensor{memory.data() + shift, dtype, kRows, kColumns, nullptr, "t"};
      EXPECT(ToFloats(tensor) == expected);
      std::vector<float> part(9);
      Widen(tensor, 11, 9, part.data());
      EXPECT(part == std::vector<float>(expected.begin() + 11, expected.begin() + 20));
    }
  }
}

TEST("a tensor without elements widens to nothing") {
  const std::byte nothing{};
  EXPECT(ToFloats({&nothing, Dtype::kBF16, 0, 3, nullptr, "t"}).empty());
  EXPECT(ToFloats({&nothing, Dtype::kF32, 3, 0, nullptr, "t"}).empty());
}

}  // namespace
}  // namespace flab
