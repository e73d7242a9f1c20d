#include <cmath>
#include <limits>
#include <numeric>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

// What the bits of a half say, by its definition.
double HalfOf(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double magnitude = exponent == 31 ? (mantissa ? std::nan("") : HUGE_VAL) : std::ldexp(exponent ? 1024 + mantissa : mantissa, std::max(exponent, 1) - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

// The bf16 number next to `value`, of two that are as near the even one: of those that share its sign and lie around it.
double NearestBf16(double value) {
  if (std::isnan(value) || std::isinf(value)) return value;
  const float narrow = static_cast<float>(value);  // exact: the values here are f32
  uint32_t bits;
  std::memcpy(&bits, &narrow, 4);
  const uint16_t below = static_cast<uint16_t>(bits >> 16), above = static_cast<uint16_t>(below + 1);
  const double low = FromBF16(below), high = std::isinf(FromBF16(above)) ? std::copysign(0x1p128, value) : FromBF16(above);
  const double to_low = std::fabs(value - low), to_high = std::fabs(value - high);
  const bool is_low = to_low < to_high || (to_low == to_high && below % 2 == 0);
  return FromBF16(is_low ? below : above);
}

// Numbers at which rounding to bf16 is decided: at, next to and halfway between its numbers, of every exponent; and what is no number.
std::vector<float> DecidingFloats() {
  std::vector<float> values;
  for (uint32_t exponent = 0; exponent < 256; ++exponent) {
    for (const uint32_t tail : {0x0u, 0x1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu, 0x10000u, 0x18000u, 0x7f7fffu, 0x7f8000u, 0x7fffffu}) {
      for (const uint32_t sign : {0u, 0x80000000u}) {
        const uint32_t bits = sign | exponent << 23 | (tail & 0x7fffff);
        float value;
        std::memcpy(&value, &bits, 4);
        values.push_back(value);
      }
    }
  }
  return values;
}

template <typename T>
void CheckConvert(const std::vector<T>& from, int32_t from_dtype, int32_t to_dtype, int64_t offset, double (*expected)(T)) {
  const int64_t count = static_cast<int64_t>(from.size()) - offset, item = to_dtype == FLAB_F32 ? 4 : 2;
  const Memory device_from = ToDevice(from), to((count + offset) * item);
  uint8_t* start = to.as<uint8_t>() + offset * item;
  Expect(Backend().convert(Device(), device_from.as<T>() + offset, from_dtype, start, to_dtype, count), "convert");
  const std::vector<double> got = NumbersFromDevice(start, to_dtype, count);
  for (int64_t i = 0; i < count; ++i) {
    const double value = expected(from[i + offset]);
    EXPECT(testing::Near(got[i], value, 0) && (std::isnan(value) || std::signbit(got[i]) == std::signbit(value)), "dtypes ", from_dtype, " to ", to_dtype, ", number ",
           i, ": ", got[i], " for ", value);
  }
}

std::vector<uint16_t> AllHalves() {
  std::vector<uint16_t> halves(1 << 16);
  std::iota(halves.begin(), halves.end(), 0);
  return halves;
}

TEST("backend: convert is exact for all halves, and rounds to the nearest bf16 number, of two the even one") {
  CheckConvert<uint16_t>(AllHalves(), FLAB_F16, FLAB_F32, 0, HalfOf);
  CheckConvert<uint16_t>(AllHalves(), FLAB_F16, FLAB_BF16, 0, [](uint16_t half) { return NearestBf16(HalfOf(half)); });
  CheckConvert<uint16_t>(AllHalves(), FLAB_BF16, FLAB_F32, 0, [](uint16_t half) { return static_cast<double>(FromBF16(half)); });
  CheckConvert<uint16_t>(AllHalves(), FLAB_BF16, FLAB_BF16, 0, [](uint16_t half) { return static_cast<double>(FromBF16(half)); });
  CheckConvert<float>(DecidingFloats(), FLAB_F32, FLAB_BF16, 0, [](float value) { return NearestBf16(value); });
  CheckConvert<float>(DecidingFloats(), FLAB_F32, FLAB_F32, 0, [](float value) { return static_cast<double>(value); });
}

TEST("backend: convert takes any count, at any alignment") {
  for (const int64_t count : {0, 1, 3, 4, 5, 1023, 1025, 4097, 8191}) {
    for (const int64_t offset : {0, 1, 2}) {
      const std::vector<float> values = testing::Random(1).Normals(count + offset);
      CheckConvert<float>(values, FLAB_F32, FLAB_BF16, offset, [](float value) { return NearestBf16(value); });
      std::vector<uint16_t> halves(count + offset);
      std::iota(halves.begin(), halves.end(), 20000);
      CheckConvert<uint16_t>(halves, FLAB_F16, FLAB_F32, offset, HalfOf);
    }
  }
}

TEST("backend: convert knows no other dtypes") {
  const Memory memory(64);
  EXPECT(Backend().convert(Device(), memory.data(), FLAB_F32, memory.data(), FLAB_F16, 4) == FLAB_BAD_CALL);
  EXPECT(Backend().convert(Device(), memory.data(), 7, memory.data(), FLAB_F32, 4) == FLAB_BAD_CALL);
}

void CheckEmbed(int32_t dtype, int64_t vocabulary, int64_t width, const std::vector<int32_t>& ids) {
  const Numbers table = Round(testing::Random(2).Normals(vocabulary * width), dtype);
  const int64_t rows = static_cast<int64_t>(ids.size());
  const Memory device_table = ToDevice(table), device_ids = ToDevice(ids), out(rows * width * 4);
  Expect(Backend().embed(Device(), device_table.data(), dtype, device_ids.as<int32_t>(), rows, width, out.as<float>()), "embed");
  const std::vector<double> got = NumbersFromDevice(out.data(), FLAB_F32, rows * width);
  for (int64_t i = 0; i < rows * width; ++i) {
    const double expected = table.values[ids[i / width] * width + i % width];
    EXPECT(testing::Near(got[i], expected, 0), "dtype ", dtype, ", row ", i / width, " of ", width, ", column ", i % width, ": ", got[i], " for ", expected);
  }
}

TEST("backend: embed is the rows of the table, exactly, of every dtype and width") {
  for (const int32_t dtype : {FLAB_F32, FLAB_F16, FLAB_BF16}) {
    for (const int64_t width : {1, 33, 64, 576, 1030}) CheckEmbed(dtype, 11, width, {10, 0, 3, 3, 9, 10, 1});
    CheckEmbed(dtype, 2, 4100, {1, 0});
    CheckEmbed(dtype, 5, 8, std::vector<int32_t>(600, 4));
    CheckEmbed(dtype, 5, 8, {});
  }
}

TEST("backend: add_bias adds to every row, with one rounding") {
  for (const int64_t width : {1, 33, 64, 1030, 4100}) {
    for (const int64_t rows : {0, 1, 9}) {
      std::vector<float> x = testing::Random(3).Normals(rows * width, 100);
      const std::vector<float> bias = testing::Random(4).Normals(width);
      const Memory device_x = ToDevice(x), device_bias = ToDevice(bias);
      Expect(Backend().add_bias(Device(), device_x.as<float>(), device_bias.as<float>(), rows, width), "add_bias");
      const std::vector<float> got = FromDevice<float>(device_x.data(), rows * width);
      for (int64_t i = 0; i < rows * width; ++i) {
        EXPECT(got[i] == x[i] + bias[i % width], "row ", i / width, " of ", width, ", column ", i % width, ": ", got[i]);
      }
    }
  }
}

}  // namespace
}  // namespace flab::conformance
