// Rows so far apart that a 32-bit index would not reach them, in a range of addresses that has memory only where rows are.

#include <sys/mman.h>

#include <cstring>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

constexpr int64_t kRows = 3, kWidth = 40, kStride = (int64_t{1} << 31) + 16;  // row 2 begins past 2^32 numbers

// [kRows, kWidth] of items; touching anything else ends the process.
class FarRows {
 public:
  explicit FarRows(int64_t item) : item_(item), bytes_(kRows * kStride * item) {
    memory_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    CHECK(memory_ != MAP_FAILED, "no addresses are left");
    for (int64_t i = 0; i < kRows; ++i) {
      char* page = memory_ + i * kStride * item_ / 4096 * 4096;
      CHECK(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
    }
  }
  FarRows(const FarRows&) = delete;
  ~FarRows() { munmap(memory_, bytes_); }
  char* row(int64_t i) const { return memory_ + i * kStride * item_; }

 private:
  int64_t item_;
  size_t bytes_;
  char* memory_;
};

TEST("emulated: matmul reaches rows that are more than 2^32 numbers apart") {
  FlabDeviceInfo info;
  Expect(Backend().info(0, &info), "info");
  if (std::string(info.name) != "emulated") return testing::Skip("of the emulator only");
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const int64_t before : {0, 1}) {  // aligned and not
      const int64_t item = dtype == FLAB_F32 ? 4 : 2;
      const FarRows a(item), weights(item), out(4);
      testing::Random random(3);
      std::vector<float> small(2 * kRows * kWidth);  // whole numbers, so that sums are exact
      for (float& number : small) number = static_cast<float>(random.Below(17) - 8);
      const Numbers numbers = Round(small, dtype);
      for (int64_t i = 0; i < kRows; ++i) {
        std::memcpy(a.row(i) + before * item, numbers.bytes.data() + i * kWidth * item, kWidth * item);
        std::memcpy(weights.row(i) + before * item, numbers.bytes.data() + (kRows + i) * kWidth * item, kWidth * item);
      }
      const FlabMatmul call{a.row(0) + before * item, weights.row(0) + before * item, reinterpret_cast<float*>(out.row(0)), kRows, kRows, kWidth, kStride,
                            kStride, kStride, dtype, 0};
      Expect(Backend().matmul(Device(), &call), "matmul");
      Expect(Backend().synchronize(Device(), FLAB_COMPUTE), "synchronize");
      for (int64_t i = 0; i < kRows; ++i) {
        for (int64_t j = 0; j < kRows; ++j) {
          double expected = 0;
          for (int64_t k = 0; k < kWidth; ++k) expected += numbers.values[i * kWidth + k] * numbers.values[(kRows + j) * kWidth + k];
          const float got = reinterpret_cast<const float*>(out.row(i))[j];
          EXPECT(got == expected, "row ", i, " column ", j, ": ", got, " for ", expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace flab::conformance
