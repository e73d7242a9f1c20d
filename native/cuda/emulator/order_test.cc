// Threads, warps and blocks: what barriers and shuffles promise, and what is promised nowhere.

#include <utility>
#include <vector>

#include "cuda/emulator/programs.h"

namespace flab::cuda {
namespace {

// Each of four warps leaves numbers in shared memory, those of the `reader` are read by it and those of `writer` too; `between` stands
// between writing and reading.
template <typename Between>
bool GivesToOtherWarp(unsigned writer, unsigned reader, Between between) {
  int* out = OnDevice<int>(32);
  Run(1, 128, 128 * sizeof(int), [=] {
    int* given = SharedArray<int>(128);
    given[threadIdx.x] = static_cast<int>(threadIdx.x);
    between();
    if (threadIdx.x / 32 == reader) out[threadIdx.x % 32] = given[32 * writer + 31 - threadIdx.x % 32];
  });
  for (int i = 0; i < 32; ++i) {
    if (out[i] != static_cast<int>(32 * writer) + 31 - i) return false;
  }
  return true;
}

TEST("emulator: what is right is right in every order, and nothing is said of it") {
  EXPECT(WrongOrders([] { return GivesToOtherWarp(0, 3, [] { __syncthreads(); }); }) == 0);
  EXPECT(WrongOrders([] { return GivesToOtherWarp(2, 2, [] { __syncwarp(); }); }) == 0);
  EXPECT(LastWords([] { GivesToOtherWarp(0, 3, [] { __syncthreads(); }); }).empty());
}

TEST("emulator: without a barrier between them, some order shows that a write and a read are not in order") {
  EXPECT(WrongOrders([] { return GivesToOtherWarp(1, 1, [] {}); }) > 0);
  for (const auto& [writer, reader] : {std::pair{0, 3}, {3, 0}}) {
    EXPECT(WrongOrders([=] { return GivesToOtherWarp(writer, reader, [] {}); }) > 0);
    EXPECT(WrongOrders([=] { return GivesToOtherWarp(writer, reader, [] { WarpSum(1.0f); }); }) > 0, "a warp that is many exchanges ahead");
  }
}

TEST("emulator: without a barrier between them, some order shows that a read and the next write are not in order") {
  const auto reads_then_overwrites = [](bool has_barrier) {
    int* out = OnDevice<int>(64);
    Run(1, 64, sizeof(int), [=] {
      int* number = SharedArray<int>(1);
      if (threadIdx.x == 0) *number = 1;
      __syncthreads();
      out[threadIdx.x] = *number;
      if (has_barrier) __syncthreads();
      if (threadIdx.x == 0) *number = 2;
    });
    for (int i = 0; i < 64; ++i) {
      if (out[i] != 1) return false;
    }
    return true;
  };
  EXPECT(WrongOrders([=] { return reads_then_overwrites(true); }) == 0);
  EXPECT(WrongOrders([=] { return reads_then_overwrites(false); }) > 0);
}

TEST("emulator: some order shows that a block relies on one before it") {
  EXPECT(WrongOrders([] {
           int* number = OnDevice<int>(2);
           Run(2, 1, 0, [=] { number[blockIdx.x] = blockIdx.x == 0 ? 1 : number[0]; });
           return number[1] == 1;
         }) > 0);
}

TEST("emulator: the same seed gives the same order, another one another") {
  const auto order = [] {
    int* next = OnDevice<int>(1);
    *next = 0;
    Run(2, 96, 0, [=] {
      const int place = (*next)++;
      if (place % 7 == 0) std::fprintf(stderr, "%u ", threadIdx.x);
    });
  };
  EXPECT(LastWords(order, 5) == LastWords(order, 5));
  EXPECT(LastWords(order, 5) != LastWords(order, 6));
}

TEST("emulator: a barrier that not all threads reach is refused") {
  EXPECT_WORDS("kernel Test, block (0, 0, 0), thread", [] {
    Run(1, 64, 0, [] {
      if (threadIdx.x < 40) __syncthreads();
      if (threadIdx.x < 20) __syncthreads();
      WarpSum(1.0f);
    });
  });
  EXPECT_WORDS("waits for threads that never come", [] {
    Run(1, 64, 0, [] {
      if (threadIdx.x < 50) {
        __syncthreads();
      } else {
        WarpSum(1.0f);
      }
    });
  });
}

TEST("emulator: lanes of a warp that do different things are refused") {
  constexpr const char* kWords = "lanes do different things";
  EXPECT_WORDS(kWords, [] {
    Run(1, 32, 0, [] {
      const int number = 1;
      threadIdx.x < 9 ? emulator::Exchange("vote", &number, sizeof number) : emulator::Exchange("shuffle", &number, sizeof number);
    });
  });
  EXPECT_WORDS(kWords, [] { Run(1, 32, 0, [] { threadIdx.x < 9 ? static_cast<void>(ShuffleXor(1.0, 1)) : static_cast<void>(ShuffleXor(1, 1)); }); });
}

TEST("emulator: of lanes that have ended a shuffle gets NaN") {
  EXPECT(WrongOrders([] {
           float* out = OnDevice<float>(32);
           Run(1, 32, 0, [=] {
             ShuffleXor(1.0f, 1);
             ShuffleXor(1.0f, 1);
             if (threadIdx.x >= 16) return;
             out[threadIdx.x] = ShuffleXor(1.0f, 16);
           });
           for (int i = 0; i < 16; ++i) {
             if (!std::isnan(out[i])) return false;
           }
           return true;
         }) == 0);
}

}  // namespace
}  // namespace flab::cuda
