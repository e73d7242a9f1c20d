#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

struct Case {
  int64_t rows, width;
  int32_t dtype;
  std::vector<uint32_t> chosen;  // empty: all rows
  int64_t gap;                   // between rows of the output
  int64_t offset;                // numbers by which the input is not aligned
};

void Check(const Case& c) {
  testing::Random random(1);
  const std::vector<float> x = random.Normals(c.offset + c.rows * c.width, 3), weight = random.Normals(c.width);
  const int64_t count = c.chosen.empty() ? c.rows : static_cast<int64_t>(c.chosen.size()), stride = c.width + c.gap;
  const Memory device_x = ToDevice(x), device_weight = ToDevice(weight), device_rows = ToDevice(c.chosen);
  const Memory out = ToDevice(std::vector<uint8_t>(count * stride * 4, 0xff));  // NaN
  const float eps = 1e-5f;
  Expect(Backend().rms_norm(Device(), device_x.as<float>() + c.offset, c.chosen.empty() ? nullptr : device_rows.as<uint32_t>(), count, c.width, device_weight.as<float>(), eps,
                            out.data(), stride, c.dtype),
         "rms_norm");
  const std::vector<double> got = NumbersFromDevice(out.data(), c.dtype, (count - 1) * stride + c.width);
  for (int64_t i = 0; i < count; ++i) {
    const float* row = &x[c.offset + (c.chosen.empty() ? i : c.chosen[i]) * c.width];
    double squares = 0;
    for (int64_t k = 0; k < c.width; ++k) squares += static_cast<double>(row[k]) * row[k];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(c.width) + eps);
    for (int64_t k = 0; k < c.width; ++k) {
      const double expected = row[k] * scale * weight[k];
      // In whatever order they are added, `width` squares (and their roundings) cost at most as many units; half of that reaches the root's
      // result, and six roundings follow.
      const double tolerance = std::fabs(expected) * (static_cast<double>(c.width) / 2 + 6) * 0x1p-24 + std::fabs(expected) * RoundingOf(c.dtype);
      EXPECT(testing::Near(got[i * stride + k], expected, tolerance), "row ", i, " column ", k, ": ", got[i * stride + k], " for ", expected);
    }
    for (int64_t k = c.width; k < stride && i + 1 < count; ++k) EXPECT(std::isnan(got[i * stride + k]), "wrote between rows, after row ", i);
  }
}

TEST("backend: rms_norm is that of doubles, for all rows and for chosen ones") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const int64_t width : {1, 33, 128, 576, 4096}) Check({.rows = 9, .width = width, .dtype = dtype, .chosen = {}, .gap = 0, .offset = 0});
    // Not aligned to four numbers, or only the output's rows.
    Check({.rows = 3, .width = 576, .dtype = dtype, .chosen = {}, .gap = 0, .offset = 1});
    Check({.rows = 3, .width = 576, .dtype = dtype, .chosen = {}, .gap = 3, .offset = 0});
    Check({.rows = 3, .width = 576, .dtype = dtype, .chosen = {}, .gap = 8, .offset = 0});
    Check({.rows = 10, .width = 130, .dtype = dtype, .chosen = {9, 0, 0, 4}, .gap = 130, .offset = 0});
    // More than a block holds.
    Check({.rows = 2, .width = 17000, .dtype = dtype, .chosen = {}, .gap = 0, .offset = 0});
    Check({.rows = 2, .width = 5001, .dtype = dtype, .chosen = {}, .gap = 0, .offset = 0});
  }
}

TEST("backend: rms_norm of no rows is legal") {
  const Memory memory(16);
  Expect(Backend().rms_norm(Device(), memory.as<float>(), nullptr, 0, 4, memory.as<float>(), 0, memory.data(), 4, FLAB_F32), "rms_norm");
}

}  // namespace
}  // namespace flab::conformance
