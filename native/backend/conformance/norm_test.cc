#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

struct Case {
  int64_t rows, width;
  int32_t dtype;
  std::vector<uint32_t> chosen;  // empty: all rows
  int64_t gap;                   // between rows of the output
};

void Check(const Case& c) {
  testing::Random random(1);
  const std::vector<float> x = random.Normals(c.rows * c.width, 3), weight = random.Normals(c.width);
  const int64_t count = c.chosen.empty() ? c.rows : static_cast<int64_t>(c.chosen.size()), stride = c.width + c.gap;
  const Memory device_x = ToDevice(x), device_weight = ToDevice(weight), device_rows = ToDevice(c.chosen);
  const Memory out(count * stride * 4);
  const float eps = 1e-5f;
  Expect(Backend().rms_norm(Device(), device_x.as<float>(), c.chosen.empty() ? nullptr : device_rows.as<uint32_t>(), count, c.width, device_weight.as<float>(), eps,
                            out.data(), stride, c.dtype),
         "rms_norm");
  const std::vector<double> got = NumbersFromDevice(out.data(), c.dtype, (count - 1) * stride + c.width);
  for (int64_t i = 0; i < count; ++i) {
    const float* row = &x[(c.chosen.empty() ? i : c.chosen[i]) * c.width];
    double squares = 0;
    for (int64_t k = 0; k < c.width; ++k) squares += static_cast<double>(row[k]) * row[k];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(c.width) + eps);
    for (int64_t k = 0; k < c.width; ++k) {
      const double expected = row[k] * scale * weight[k];
      // A lane adds width / 32 squares, a tree of 5 the lanes; half of that reaches the root's result, and six roundings follow.
      const double tolerance = std::fabs(expected) * ((static_cast<double>(c.width) / 32 + 5) / 2 + 6) * 0x1p-24 + std::fabs(expected) * RoundingOf(c.dtype);
      EXPECT(testing::Near(got[i * stride + k], expected, tolerance), "row ", i, " column ", k, ": ", got[i * stride + k], " for ", expected);
    }
  }
}

TEST("backend: rms_norm is that of doubles, for all rows and for chosen ones") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    Check({.rows = 1, .width = 1, .dtype = dtype, .chosen = {}, .gap = 0});
    Check({.rows = 9, .width = 33, .dtype = dtype, .chosen = {}, .gap = 0});
    Check({.rows = 17, .width = 576, .dtype = dtype, .chosen = {}, .gap = 3});
    Check({.rows = 10, .width = 130, .dtype = dtype, .chosen = {9, 0, 0, 4}, .gap = 130});
  }
}

TEST("backend: rms_norm of no rows is legal") {
  const Memory memory(16);
  Expect(Backend().rms_norm(Device(), memory.as<float>(), nullptr, 0, 4, memory.as<float>(), 0, memory.data(), 4, FLAB_F32), "rms_norm");
}

}  // namespace
}  // namespace flab::conformance
