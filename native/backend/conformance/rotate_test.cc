#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

struct Case {
  int64_t rows, period;
  int32_t query_heads, kv_heads, width;
  bool bias = false, norm = false;
  int64_t offset = 0;  // floats between what memory is aligned to and the input

  int32_t rotated() const { return query_heads + kv_heads; }
  int64_t row_width() const { return static_cast<int64_t>(rotated() + kv_heads) * width; }
};

struct Input {
  std::vector<float> projected, bias, query_norm, key_norm, cosines, sines;
  std::vector<int32_t> positions;
};

Input MakeInput(const Case& c) {
  testing::Random random(3);
  Input input;
  input.projected = random.Normals(c.rows * c.row_width(), 3);
  input.bias = random.Normals(c.row_width());
  input.query_norm = random.Normals(c.width);
  input.key_norm = random.Normals(c.width);
  int32_t last = 0;
  for (int64_t i = 0; i < c.period; ++i) {
    input.positions.push_back(static_cast<int32_t>(random.Below(3 * c.period)));
    last = std::max(last, input.positions.back());
  }
  for (int64_t i = 0; i < (last + 1) * (c.width / 2); ++i) {
    const double angle = random.Signed() * 4;
    input.cosines.push_back(static_cast<float>(std::cos(angle)));
    input.sines.push_back(static_cast<float>(std::sin(angle)));
  }
  return input;
}

constexpr float kEps = 1e-5f;

// What a head should be, and how far off each number may be without its last rounding.
void Expected(const Case& c, const Input& input, int64_t row, int32_t head, std::vector<double>& out, std::vector<double>& off) {
  const int64_t start = head * c.width, half = c.width / 2;
  const float* x = &input.projected[row * c.row_width() + start];
  double squares = 0;
  for (int32_t i = 0; i < c.width; ++i) {
    out[i] = static_cast<double>(x[i]) + (c.bias ? input.bias[start + i] : 0);
    off[i] = c.bias ? std::fabs(out[i]) * 0x1p-24 : 0;
    squares += out[i] * out[i];
  }
  if (head >= c.rotated()) return;
  const std::vector<float>& weight = head < c.query_heads ? input.query_norm : input.key_norm;
  for (int32_t i = 0; c.norm && i < c.width; ++i) {
    out[i] *= weight[i] / std::sqrt(squares / c.width + kEps);
    // The biased number; half of what the sum of squares is off, at most width / 4 additions on a path; its root; two products.
    off[i] = std::fabs(out[i]) * (1 + (c.width / 4.0 + 5 + 2) / 2 + 3 + 2) * 0x1p-24;
  }
  const float* cosine = &input.cosines[input.positions[row % c.period] * half];
  const float* sine = &input.sines[input.positions[row % c.period] * half];
  for (int32_t i = 0; i < half; ++i) {
    const double left = out[i], right = out[i + half], left_off = off[i], right_off = off[i + half];
    const double size = std::fabs(left * cosine[i]) + std::fabs(right * sine[i]), other = std::fabs(right * cosine[i]) + std::fabs(left * sine[i]);
    out[i] = left * cosine[i] - right * sine[i];
    out[i + half] = right * cosine[i] + left * sine[i];
    // Two products and their sum.
    off[i] = left_off * std::fabs(cosine[i]) + right_off * std::fabs(sine[i]) + 2 * size * 0x1p-24;
    off[i + half] = right_off * std::fabs(cosine[i]) + left_off * std::fabs(sine[i]) + 2 * other * 0x1p-24;
  }
}

void Check(const Case& c, int32_t dtype) {
  const Input input = MakeInput(c);
  const int64_t count = c.rows * c.row_width();
  const Memory projected((count + c.offset) * 4), bias = ToDevice(input.bias), query_norm = ToDevice(input.query_norm), key_norm = ToDevice(input.key_norm),
               positions = ToDevice(input.positions), cosines = ToDevice(input.cosines), sines = ToDevice(input.sines), out(count * 4);
  Upload(projected.as<float>() + c.offset, input.projected.data(), count * 4);
  const FlabRotate call{.projected = projected.as<float>() + c.offset,
                        .out = out.data(),
                        .bias = c.bias ? bias.as<float>() : nullptr,
                        .query_norm = c.norm ? query_norm.as<float>() : nullptr,
                        .key_norm = c.norm ? key_norm.as<float>() : nullptr,
                        .positions = positions.as<int32_t>(),
                        .cosines = cosines.as<float>(),
                        .sines = sines.as<float>(),
                        .rows = c.rows,
                        .period = c.period,
                        .query_heads = c.query_heads,
                        .kv_heads = c.kv_heads,
                        .head_width = c.width,
                        .norm_eps = kEps,
                        .dtype = dtype};
  Expect(Backend().rotate(Device(), &call), "rotate");
  const std::vector<double> got = NumbersFromDevice(out.data(), dtype, count);
  std::vector<double> expected(c.width), off(c.width);
  for (int64_t row = 0; row < c.rows; ++row) {
    for (int32_t head = 0; head < c.rotated() + c.kv_heads; ++head) {
      Expected(c, input, row, head, expected, off);
      for (int32_t i = 0; i < c.width; ++i) {
        const double value = got[row * c.row_width() + head * c.width + i];
        const double tolerance = off[i] * (1 + RoundingOf(dtype)) + (dtype == FLAB_BF16 ? std::fabs(expected[i]) * RoundingOf(dtype) : 0);
        EXPECT(testing::Near(value, expected[i], tolerance), "dtype ", dtype, " row ", row, " head ", head, " column ", i, ": ", value, " for ", expected[i]);
      }
    }
  }
}

void CheckBoth(const Case& c) {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) Check(c, dtype);
}

TEST("backend: rotate is that of doubles, with and without biases and norms of heads") {
  for (const bool bias : {false, true}) {
    for (const bool norm : {false, true}) CheckBoth({.rows = 5, .period = 5, .query_heads = 5, .kv_heads = 2, .width = 64, .bias = bias, .norm = norm});
  }
}

TEST("backend: rotate takes heads of every width") {
  for (const int32_t width : {2, 8, 20, 80, 128, 256, 320}) {
    CheckBoth({.rows = 3, .period = 3, .query_heads = 3, .kv_heads = 1, .width = width, .bias = true, .norm = true});
  }
}

TEST("backend: rotate takes positions again for every state, more heads than a block has teams, and any alignment") {
  CheckBoth({.rows = 14, .period = 7, .query_heads = 4, .kv_heads = 4, .width = 16, .norm = true});
  CheckBoth({.rows = 2, .period = 1, .query_heads = 70, .kv_heads = 10, .width = 16, .bias = true, .norm = true});
  CheckBoth({.rows = 3, .period = 3, .query_heads = 2, .kv_heads = 1, .width = 64, .bias = true, .offset = 1});
}

TEST("backend: rotate of no rows is legal") {
  const FlabRotate call{.projected = nullptr,
                        .out = nullptr,
                        .bias = nullptr,
                        .query_norm = nullptr,
                        .key_norm = nullptr,
                        .positions = nullptr,
                        .cosines = nullptr,
                        .sines = nullptr,
                        .rows = 0,
                        .period = 0,
                        .query_heads = 1,
                        .kv_heads = 1,
                        .head_width = 64,
                        .norm_eps = kEps,
                        .dtype = FLAB_F32};
  Expect(Backend().rotate(Device(), &call), "rotate");
}

}  // namespace
}  // namespace flab::conformance
