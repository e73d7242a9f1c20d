// Rows so far apart that a 32-bit index would not reach them: the emulator's memory takes only what is written to.

#include <cstdlib>

#include "backend/conformance/conformance.h"
#include "cuda/emulator/emulated_only.h"

namespace flab::conformance {
namespace {

// Row 16 begins past 2^32 numbers. A thread reaches its first row by the row's number, and the next by steps of 32 rows.
constexpr int64_t kRows = 40, kWidth = 40, kStride = (int64_t{1} << 28) + 16;

TEST("emulated: matmul reaches rows that are more than 2^32 numbers apart") {
  if (!IsEmulated()) return;
  setenv("FLAB_EMULATED_MEMORY", "200000000000", 1);
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const int64_t before : {0, 1}) {  // aligned and not
      const int64_t item = dtype == FLAB_F32 ? 4 : 2;
      const int64_t numbers_apart = (kRows - 1) * kStride + kWidth + 1;
      const Memory a(numbers_apart * item), weights(numbers_apart * item), out(numbers_apart * 4);
      testing::Random random(3);
      std::vector<float> small(2 * kRows * kWidth);  // whole numbers, so that sums are exact
      for (float& number : small) number = static_cast<float>(random.Below(17) - 8);
      const Numbers numbers = Round(small, dtype);
      for (int64_t i = 0; i < kRows; ++i) {
        Upload(a.as<std::byte>() + (i * kStride + before) * item, numbers.bytes.data() + i * kWidth * item, kWidth * item);
        Upload(weights.as<std::byte>() + (i * kStride + before) * item, numbers.bytes.data() + (kRows + i) * kWidth * item, kWidth * item);
      }
      const FlabMatmul call{a.as<std::byte>() + before * item, weights.as<std::byte>() + before * item, out.as<float>(), kRows, kRows, kWidth, kStride,
                            kStride, kStride, dtype, 0};
      Expect(Backend().matmul(Device(), &call), "matmul");
      Expect(Backend().synchronize(Device(), FLAB_COMPUTE), "synchronize");
      for (int64_t i = 0; i < kRows; ++i) {
        const std::vector<float> got = FromDevice<float>(out.as<float>() + i * kStride, kRows);
        for (int64_t j = 0; j < kRows; ++j) {
          double expected = 0;
          for (int64_t k = 0; k < kWidth; ++k) expected += numbers.values[i * kWidth + k] * numbers.values[(kRows + j) * kWidth + k];
          EXPECT(got[j] == expected, "row ", i, " column ", j, ": ", got[j], " for ", expected);
        }
      }
    }
  }
  unsetenv("FLAB_EMULATED_MEMORY");
}

}  // namespace
}  // namespace flab::conformance
