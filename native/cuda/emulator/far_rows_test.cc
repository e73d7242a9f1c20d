// Rows so far apart that a 32-bit index would not reach them, in a range of addresses that has memory only where rows are.

#include <sys/mman.h>

#include <cstring>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

// Row 16 begins 2^32 numbers after row 0. A thread reaches its first row by the row's number, and the next by steps of 32 rows.
constexpr int64_t kRows = 40, kWidth = 40, kStride = (int64_t{1} << 28) + 16;

// Addresses without memory.
class Addresses {
 public:
  explicit Addresses(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    begin_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    CHECK(begin_ != MAP_FAILED, "no addresses are left");
  }
  Addresses(const Addresses&) = delete;
  ~Addresses() { munmap(begin_, bytes_); }
  const char* begin() const { return begin_; }

 private:
  size_t bytes_;
  char* begin_;
};

// [kRows, kWidth] of items; touching anything else ends the process. The first row lies in memory of the device, as kernels are given
// no other address, and the addresses after that memory are ours.
class FarRows {
 public:
  explicit FarRows(int64_t item) : item_(item), after_(kRows * kStride * item), memory_(kBelow) {
    CHECK(row(0) + kBelow <= after_.begin() && after_.begin() < row(1), "memory lies elsewhere");
    for (int64_t i = 1; i < kRows; ++i) {
      const auto address = reinterpret_cast<uintptr_t>(row(i)), page = address / 4096 * 4096;
      CHECK(mprotect(reinterpret_cast<void*>(page), address + kWidth * item_ - page, PROT_READ | PROT_WRITE) == 0);
    }
  }
  char* row(int64_t i) const { return memory_.as<char>() + i * kStride * item_; }

 private:
  static constexpr int64_t kBelow = 64 << 20;  // too large for a hole between what is in use
  int64_t item_;
  Addresses after_;
  Memory memory_;
};

void Check(int32_t dtype, bool accumulate) {
  const int64_t item = dtype == FLAB_F32 ? 4 : 2;
  const FarRows a(item), weights(item), out(4);
  testing::Random random(3);
  std::vector<float> small(2 * kRows * kWidth);  // whole numbers, so that sums are exact
  for (float& number : small) number = static_cast<float>(random.Below(17) - 8);
  const Numbers numbers = Round(small, dtype);
  for (int64_t i = 0; i < kRows; ++i) {
    std::memcpy(a.row(i), numbers.bytes.data() + i * kWidth * item, kWidth * item);
    std::memcpy(weights.row(i), numbers.bytes.data() + (kRows + i) * kWidth * item, kWidth * item);
    for (int64_t j = 0; j < kRows; ++j) reinterpret_cast<float*>(out.row(i))[j] = 1;
  }
  const FlabMatmul call{a.row(0), weights.row(0), reinterpret_cast<float*>(out.row(0)), kRows, kRows, kWidth, kStride, kStride, kStride, dtype, accumulate};
  Expect(Backend().matmul(Device(), &call), "matmul");
  Expect(Backend().synchronize(Device(), FLAB_COMPUTE), "synchronize");
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < kRows; ++j) {
      double expected = accumulate;
      for (int64_t k = 0; k < kWidth; ++k) expected += numbers.values[i * kWidth + k] * numbers.values[(kRows + j) * kWidth + k];
      const float got = reinterpret_cast<const float*>(out.row(i))[j];
      EXPECT(got == expected, "row ", i, " column ", j, ": ", got, " for ", expected);
    }
  }
}

TEST("emulated: matmul reaches rows that are more than 2^32 numbers apart") {
  FlabDeviceInfo info;
  Expect(Backend().info(0, &info), "info");
  if (std::string(info.name) != "emulated") return testing::Skip("of the emulator only");
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const bool accumulate : {false, true}) Check(dtype, accumulate);
  }
}

}  // namespace
}  // namespace flab::conformance
