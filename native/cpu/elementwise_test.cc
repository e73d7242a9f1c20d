#include <cmath>
#include <cstring>

#include "base/dtype.h"
#include "base/testing.h"
#include "cpu/kernels.h"

namespace flab {
namespace {

using testing::Random;

constexpr double kUnit = 0x1p-24;
constexpr int64_t kCounts[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 101, 896, 4096, 4099};

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

TEST("rms_norm divides by the root of the mean square, also in place") {
  Random random(1);
  for (const int64_t count : kCounts) {
    for (const double size : {1., 1e-4, 3e4}) {
      const float eps = 1e-6f;
      std::vector<float> in = random.Normals(count, size), weight = random.Normals(count), out(count);
      if (count > 5) in[3] *= 1000;
      double squares = 0;
      for (const float x : in) squares += static_cast<double>(x) * x;
      ActiveKernels().rms_norm(in.data(), weight.data(), count, eps, out.data());
      for (int64_t i = 0; i < count; ++i) {
        const double expected = in[i] / std::sqrt(squares / static_cast<double>(count) + eps) * weight[i];
        // A sum of n squares is off by up to n + 1 units, its root by half of that, and four operations follow.
        EXPECT(testing::Near(out[i], expected, (0.5 * static_cast<double>(count + 1) + 5) * kUnit * std::fabs(expected)), "[", i, "] of ", count, " is ",
               out[i], ", expected ", expected);
      }
      ActiveKernels().rms_norm(in.data(), weight.data(), count, eps, in.data());
      EXPECT(in == out, "in place, ", count);
    }
  }
}

TEST("rms_norm of zeros is zero") {
  std::vector<float> in(37), weight(37, 2.f), out(37, 1.f);
  ActiveKernels().rms_norm(in.data(), weight.data(), 37, 1e-6f, out.data());
  EXPECT(out == in);
}

TEST("rotate turns each pair by its angle") {
  Random random(2);
  for (const int64_t half : {0, 1, 3, 8, 17, 64}) {
    const std::vector<float> before = random.Normals(2 * half, 10);
    std::vector<float> cosine, sine, head = before;
    for (int64_t i = 0; i < half; ++i) {
      const double angle = random.Normal() * 3;
      cosine.push_back(static_cast<float>(std::cos(angle)));
      sine.push_back(static_cast<float>(std::sin(angle)));
    }
    ActiveKernels().rotate(head.data(), cosine.data(), sine.data(), half);
    for (int64_t i = 0; i < half; ++i) {
      const double x = before[i], y = before[i + half], c = cosine[i], s = sine[i];
      const double tolerance = 2 * kUnit * (std::fabs(x) + std::fabs(y));
      EXPECT(testing::Near(head[i], x * c - y * s, tolerance), "first of pair ", i);
      EXPECT(testing::Near(head[i + half], y * c + x * s, tolerance), "second of pair ", i);
    }
  }
}

TEST("swiglu is gate times sigmoid(gate) times up, at every length") {
  Random random(3);
  for (const int64_t count : kCounts) {
    const std::vector<float> gate = random.Normals(count, 4), up = random.Normals(count);
    std::vector<float> out(count + 1, -7.f);
    ActiveKernels().swiglu(gate.data(), up.data(), count, out.data());
    for (int64_t i = 0; i < count; ++i) {
      const double expected = gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i];
      EXPECT(testing::Near(out[i], expected, 6 * kUnit * std::fabs(expected)), "[", i, "] of ", count, " is ", out[i], ", expected ", expected);
    }
    EXPECT(out[count] == -7.f, "written past the end of ", count);
  }
}

TEST("the exponential under swiglu is good to a few units over f32's whole range") {
  // At a gate of -x, swiglu is -x / (1 + e^x): for large x the error is that of e^x, for small x half of it.
  constexpr int64_t kCount = 1 << 17;
  std::vector<float> gate(kCount), up(kCount, 1.f), out(kCount);
  for (int64_t i = 0; i < kCount; ++i) gate[i] = static_cast<float>(-87.9 + 175.8 * static_cast<double>(i) / kCount);
  ActiveKernels().swiglu(gate.data(), up.data(), kCount, out.data());
  double worst = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const double g = gate[i], expected = g / (1 + std::exp(-g));
    if (g != 0) worst = std::max(worst, std::fabs(out[i] / expected - 1));
  }
  // The exponential, the sum with 1, the quotient and the product each round once.
  EXPECT(worst < 3.5 * kUnit, worst / kUnit, " units");
}

TEST("swiglu past the range of the exponential is gate or nothing") {
  const float gate[] = {89, 1000, 1e30f, -89, -1000, -1e30f, 0, NAN};
  const float up[] = {2, 2, 2, 2, 2, 2, 2, 2};
  float out[8];
  ActiveKernels().swiglu(gate, up, 8, out);
  for (int i = 0; i < 3; ++i) EXPECT(out[i] == 2 * gate[i], "gate ", gate[i], " gave ", out[i]);
  // e^88 stands for all larger ones: what is left is below 1e-38 of the gate.
  for (int i = 3; i < 6; ++i) EXPECT(std::fabs(out[i]) <= 2e-38 * std::fabs(gate[i]), "gate ", gate[i], " gave ", out[i]);
  EXPECT(out[6] == 0);
  EXPECT(std::isnan(out[7]));
}

TEST("activations round to the bf16 that weights round to") {
  std::vector<float> in;
  for (uint32_t high = 0; high < 65536; ++high) {
    for (const uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      if (!std::isnan(FloatOf(high << 16 | low))) in.push_back(FloatOf(high << 16 | low));
    }
  }
  std::vector<uint16_t> out(in.size());
  ActiveKernels().to_bf16(in.data(), static_cast<int64_t>(in.size()), out.data());
  const bool flushes = ActiveKernels().tile_bf16 != nullptr;  // numbers below the normal ones, as its product does
  for (size_t i = 0; i < in.size(); ++i) {
    if (flushes && std::fabs(in[i]) < 0x1p-126 && (out[i] & 0x7fff) == 0) continue;
    EXPECT(out[i] == ToBF16(in[i]), in[i], " became ", FromBF16(out[i]), ", expected ", FromBF16(ToBF16(in[i])));
  }
}

TEST("an activation that is NaN never rounds to a finite bf16") {
  std::vector<float> in;
  for (const uint32_t sign : {0u, 0x80000000u}) {
    for (const uint32_t mantissa : {0x000001u, 0x007fffu, 0x008000u, 0x400000u, 0x7f7fffu, 0x7f8000u, 0x7fffffu}) in.push_back(FloatOf(sign | 0x7f800000u | mantissa));
  }
  std::vector<uint16_t> out(in.size());
  ActiveKernels().to_bf16(in.data(), static_cast<int64_t>(in.size()), out.data());
  for (size_t i = 0; i < in.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &in[i], 4);
    EXPECT(!std::isfinite(FromBF16(out[i])), "the NaN ", bits, " became ", FromBF16(out[i]));
  }
}

}  // namespace
}  // namespace flab
