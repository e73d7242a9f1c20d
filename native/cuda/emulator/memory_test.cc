// Memory that ends, that is not aligned, that was never written, and launches that no device takes.

#include <algorithm>

#include "cuda/emulator/programs.h"

namespace flab::cuda {
namespace {

TEST("emulator: memory ends where it ends, and begins where it begins") {
  constexpr const char* kWords = "reads or writes memory that is not its own";
  float* none = nullptr;
  EXPECT_WORDS(kWords, [=] { Run(1, 1, 0, [=] { *none = 1; }); });
  EXPECT_WORDS(kWords, [] {
    float *memory = OnDevice<float>(12), *out = OnDevice<float>(1);
    Run(1, 1, 0, [=] { *out = memory[12]; });
  });
  EXPECT_WORDS(kWords, [] {
    uint4* memory = OnDevice<uint4>(1 << 10);
    Run(1, 1, 0, [=] { Store16(memory + (1 << 10), {}); });
  });
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(12);
    cudaFree(memory);
    Run(1, 1, 0, [=] { memory[0] = 1; });
  });
}

TEST("emulator: 16 bytes of which memory has only some are refused, and what there is of them may be copied") {
  constexpr const char* kWords = "reads or writes memory that is not its own";
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(7);
    Run(1, 1, 64, [=] { CopyAsync(SharedArray<float>(16), memory + 4); });
  });
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(7);
    Run(1, 1, 0, [=] { Load16(memory + 4); });
  });
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(7);
    Run(1, 1, 0, [=] { Store16(memory + 4, {}); });
  });
  EXPECT(LastWords([] {
           float* memory = OnDevice<float>(7);
           Run(1, 1, 64, [=] {
             CopyAsyncPart(SharedArray<float>(16), memory + 4, 12);
             EndCopies();
             WaitForCopies<0>();
           });
         }).empty());
}

TEST("emulator: what was written beside memory is found when it is released, and what is read there is NaN") {
  constexpr const char* kWords = "wrote beside memory";
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(9);
    Run(1, 1, 0, [=] { memory[9] = 1; });
    cudaFree(memory);
  });
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(9);
    Run(1, 1, 0, [=] { memory[-1] = 1; });
    cudaFree(memory);
  });
  EXPECT_WORDS("nan nan nan", [] {
    const float* memory = OnDevice<float>(9);
    std::fprintf(stderr, "%g %g %g", std::fabs(memory[9]), std::fabs(memory[-1]), std::fabs(memory[0]));
  });
  EXPECT_WORDS("releases memory that is not allocated", [] { cudaFree(OnDevice<float>(9) + 1); });
}

TEST("emulator: shared memory is NaN at first, and what is written beside it is found") {
  EXPECT_WORDS("wrote beside its shared memory", [] { Run(1, 1, 40, [] { SharedArray<float>(10)[10] = 1; }); });
  EXPECT_WORDS("wrote beside its shared memory", [] { Run(1, 1, 40, [] { SharedArray<float>(10)[-1] = 1; }); });
  EXPECT_WORDS("reads or writes memory that is not its own", [] { Run(1, 1, 256, [] { SharedArray<float>(64)[64] = 1; }); });
  EXPECT_WORDS("uses more shared memory than its launch asked for", [] { Run(1, 1, 40, [] { SharedArray<float>(11); }); });
  EXPECT_WORDS("nan nan", [] {
    Run(2, 1, 4, [] {
      std::fprintf(stderr, "%g ", std::fabs(*SharedArray<float>(1)));
      *SharedArray<float>(1) = 1;
    });
  });
}

TEST("emulator: a launch that some device refuses is refused") {
  EXPECT_WORDS("more shared memory", [] { Run(1, 1, (99 << 10) + 1, [] {}); });
  EXPECT_WORDS("a number of threads", [] { Run(1, 1025, 0, [] {}); });
  EXPECT_WORDS("more blocks", [] { Run(1u << 31, 1, 0, [] {}); });
}

TEST("emulator: 16 bytes at an address that is not aligned are refused") {
  constexpr const char* kWords = "not aligned";
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(12);
    Run(1, 1, 0, [=] { Load16(memory + 1); });
  });
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(12);
    Run(1, 1, 0, [=] { Store16(memory + 2, {}); });
  });
  EXPECT_WORDS(kWords, [] {
    float* memory = OnDevice<float>(12);
    Run(1, 1, 64, [=] { CopyAsync(SharedArray<float>(16), memory + 1); });
  });
  EXPECT_WORDS("misaligned address", [] {
    uint16_t* memory = OnDevice<uint16_t>(8);
    Run(1, 1, 0, [=] { *reinterpret_cast<uint2*>(memory + 2) = {}; });
  });
}

// Lanes hold a tile as cuda/tensor_core.cuh says.

}  // namespace
}  // namespace flab::cuda
