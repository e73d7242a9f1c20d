// What kernels do with tensor cores, asynchronous copies and powers of two.

#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/emulator/programs.h"

namespace flab::cuda {
namespace {

TEST("emulator: a product of tiles is added to what is there") {
  const auto a = [](int row, int k) { return static_cast<float>(row - 2 * k); };
  const auto b = [](int k, int column) { return static_cast<float>(3 * k - column % 5); };
  const auto c = [](int row, int column) { return static_cast<float>(100 * row + column); };
  EXPECT(WrongOrders([=] {
           float* out = OnDevice<float>(16 * 8);
           Run(1, 32, 0, [=] {
             const int group = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
             uint32_t own_a[4], own_b[2];
             float own_c[4];
             for (int i = 0; i < 4; ++i) {
               const int row = group + i % 2 * 8, k = pair + i / 2 * 8;
               own_a[i] = ToBf16Pair(a(row, k), a(row, k + 1));
               own_c[i] = c(group + i / 2 * 8, pair + i % 2);
             }
             for (int i = 0; i < 2; ++i) own_b[i] = ToBf16Pair(b(pair + i * 8, group), b(pair + i * 8 + 1, group));
             MultiplyTile(own_c, own_a, own_b);
             for (int i = 0; i < 4; ++i) out[(group + i / 2 * 8) * 8 + pair + i % 2] = own_c[i];
           });
           for (int row = 0; row < 16; ++row) {
             for (int column = 0; column < 8; ++column) {
               float sum = c(row, column);
               for (int k = 0; k < 16; ++k) sum += a(row, k) * b(k, column);
               if (out[row * 8 + column] != sum) return false;
             }
           }
           return true;
         }) == 0);
}

// Four numbers come to shared memory asynchronously; `before` and `after` stand before and after the wait.
template <typename Before, typename After>
float CopiedAsync(Before before, After after) {
  float *from = OnDevice<float>(4), *out = OnDevice<float>(1);
  std::fill(from, from + 4, 7.0f);
  Run(1, 1, 64, [=] {
    float* shared = SharedArray<float>(16);
    shared[0] = 3;
    CopyAsync(shared, from);
    EndCopies();
    *out = before(shared);
    WaitForCopies<0>();
    *out = after(shared, *out);
  });
  return *out;
}

TEST("emulator: what is copied asynchronously is there after the wait, and before it in some orders only") {
  EXPECT(WrongOrders([] { return CopiedAsync([](float*) { return 0.0f; }, [](float* shared, float) { return shared[0]; }) == 7; }) == 0);
  const auto before = [] { return CopiedAsync([](float* shared) { return shared[0]; }, [](float*, float was) { return was; }); };
  EXPECT(WrongOrders([=] { return before() == 7; }) > 0, "it was waited for too late");
  EXPECT(WrongOrders([=] { return before() == 3; }) > 0, "it was begun too early");
}

TEST("emulator: a wait that leaves a group under way leaves it in some orders") {
  EXPECT(WrongOrders([] {
           float *from = OnDevice<float>(4), *out = OnDevice<float>(1);
           std::fill(from, from + 4, 7.0f);
           Run(1, 1, 64, [=] {
             CopyAsync(SharedArray<float>(16), from);
             EndCopies();
             WaitForCopies<1>();
             *out = *SharedArray<float>(16);
             WaitForCopies<0>();
           });
           return *out == 7;
         }) > 0);
}

TEST("emulator: groups of asynchronous copies are waited for in order, zeros stand for what is not copied") {
  EXPECT(WrongOrders([] {
           float *from = OnDevice<float>(8), *out = OnDevice<float>(9);
           for (int i = 0; i < 8; ++i) from[i] = static_cast<float>(i + 1);
           Run(1, 1, 64, [=] {
             float* shared = SharedArray<float>(16);
             CopyAsync(shared, from);
             EndCopies();
             CopyAsync(shared + 4, from + 4);
             CopyAsync(shared + 8, nullptr, false);
             EndCopies();
             EndCopies();
             WaitForCopies<2>();
             out[0] = shared[3];
             WaitForCopies<1>();
             out[1] = shared[7];
             out[2] = shared[8];
           });
           return out[0] == 4 && out[1] == 8 && out[2] == 0;
         }) == 0);
}

TEST("emulator: a thread may not end before its asynchronous copies, nor make them to other memory than shared") {
  EXPECT_WORDS("ended without waiting", [] {
    float* memory = OnDevice<float>(4);
    Run(1, 1, 64, [=] { CopyAsync(SharedArray<float>(16), memory); });
  });
  EXPECT_WORDS("memory that is not shared", [] {
    float* memory = OnDevice<float>(4);
    Run(1, 1, 64, [=] { CopyAsync(SharedArray<float>(16) + 16, memory); });
  });
}

TEST("emulator: a power of two is off by two units in the last place at most, always by the same, and zero where it is subnormal") {
  int off = 0;
  for (float x = -125; x < 127; x += 0.37f) {
    const double relative = Exp2(x) / std::exp2(static_cast<double>(x)) - 1;
    EXPECT(std::fabs(relative) <= 0x1p-22 + 0x1p-24 && Exp2(x) == Exp2(x), x, ": ", relative);
    off += std::fabs(relative) > 0x1p-23;
  }
  EXPECT(off > 100, off);
  EXPECT(Exp2(-126.01f) == 0 && Exp2(-125.9f) > 0 && Exp2(-INFINITY) == 0 && Exp2(0) == 1 && Exp2(128) == INFINITY && std::isnan(Exp2(NAN)));
}

}  // namespace
}  // namespace flab::cuda
