// Programs that are wrong on purpose, each in a process of its own: the emulator must end it with the sentence that says what is wrong,
// or its result must be wrong in one of several orders.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/testing.h"
#include "cuda/tensor_core.cuh"

namespace flab::cuda {
namespace {

constexpr int kOrders = 20;

// What a process that runs `program` in the order of `seed` says before it ends.
template <typename Program>
std::string LastWords(Program program, int seed = 1) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    setenv("FLAB_EMULATED_SEED", std::to_string(seed).c_str(), 1);
    program();
    _exit(0);
  }
  close(ends[1]);
  std::string words;
  char buffer[256];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) words.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return words;
}

// In how many of the orders `program` returns false.
template <typename Program>
int WrongOrders(Program program) {
  int wrong = 0;
  for (int seed = 1; seed <= kOrders; ++seed) {
    const std::string words = LastWords([&] { std::fputs(program() ? "right" : "wrong", stderr); }, seed);
    CHECK(words == "right" || words == "wrong", words);
    wrong += words == "wrong";
  }
  return wrong;
}

#define EXPECT_WORDS(words, ...)                               \
  do {                                                         \
    const std::string said = LastWords(__VA_ARGS__);           \
    EXPECT(said.find(words) != std::string::npos, "it said: ", said); \
  } while (false)

cudaStream_t NewStream() {
  cudaStream_t stream;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  return stream;
}

template <typename T>
T* OnDevice(size_t count) {
  void* memory;
  cudaMalloc(&memory, count * sizeof(T));
  return static_cast<T*>(memory);
}

template <typename Kernel>
void Run(unsigned blocks, unsigned threads, size_t shared, Kernel kernel) {
  const cudaStream_t stream = NewStream();
  emulator::Launch(stream, "Test", {blocks}, threads, shared, kernel);
  cudaStreamSynchronize(stream);
}

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

float* Pinned(float value) {
  void* memory;
  cudaMallocHost(&memory, sizeof value);
  return &(*static_cast<float*>(memory) = value);
}

// A number is uploaded on a stream of its own and doubled on another, then another is uploaded in its place.
float Uploaded(bool waits_before, bool waits_after) {
  const cudaStream_t compute = NewStream(), upload = NewStream();
  cudaEvent_t event;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  float *number = OnDevice<float>(1), *twice = OnDevice<float>(1);
  cudaMemcpyAsync(number, Pinned(5), sizeof(float), cudaMemcpyHostToDevice, upload);
  cudaEventRecord(event, upload);
  if (waits_before) cudaStreamWaitEvent(compute, event, 0);
  emulator::Launch(compute, "Twice", {1}, 1, 0, [=] { *twice = *number * 2; });
  cudaEventRecord(event, compute);
  if (waits_after) cudaStreamWaitEvent(upload, event, 0);
  cudaMemcpyAsync(number, Pinned(6), sizeof(float), cudaMemcpyHostToDevice, upload);
  cudaStreamSynchronize(compute);
  return *twice;
}

TEST("emulator: a stream that does not wait for another is ahead of it in some orders") {
  EXPECT(WrongOrders([] { return Uploaded(true, true) == 10; }) == 0);
  EXPECT(WrongOrders([] { return !std::isnan(Uploaded(false, true)); }) > 0, "the number was not there yet");
  EXPECT(WrongOrders([] { return Uploaded(true, false) != 12; }) > 0, "the next number was there already");
}

TEST("emulator: copies from and to memory of another kind, and addresses of the host in arguments, are refused") {
  EXPECT_WORDS("copies from memory that is not pinned", [] {
    const float number = 1;
    cudaMemcpyAsync(OnDevice<float>(1), &number, sizeof number, cudaMemcpyHostToDevice, NewStream());
  });
  EXPECT_WORDS("copies to memory of another kind", [] { cudaMemcpyAsync(Pinned(1), OnDevice<float>(1), sizeof(float), cudaMemcpyDeviceToDevice, NewStream()); });
  EXPECT_WORDS("past its end", [] { cudaMemcpyAsync(OnDevice<float>(1), OnDevice<float>(2), 2 * sizeof(float), cudaMemcpyDeviceToDevice, NewStream()); });
  EXPECT_WORDS("sets memory that is not the device's", [] { cudaMemsetAsync(Pinned(1), 0, sizeof(float), NewStream()); });
  EXPECT_WORDS("gives an address of the host to kernel Sum", [] {
    struct {
      int64_t count;
      const float* numbers;
    } argument{4, Pinned(1)};
    emulator::CheckArgument("Sum", &argument, sizeof argument);
  });
  // Two numbers of 4 bytes that look like an address below 2^32, where there is memory.
  void* low = mmap(reinterpret_cast<void*>(0x3ed10000), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (low != MAP_FAILED) {
    const struct {
      float scale;
      int32_t dtype;
    } numbers{0.408248275f, 0};
    emulator::CheckArgument("Attention", &numbers, sizeof numbers);
    munmap(low, 4096);
  }
  EXPECT_WORDS("reads or writes memory that is not its own", [] {
    for (int i = 0; i < kOrders; ++i) {
      const cudaStream_t stream = NewStream();
      float* number = Pinned(1);
      cudaMemcpyAsync(OnDevice<float>(1), number, sizeof(float), cudaMemcpyHostToDevice, stream);
      cudaFreeHost(number);
      cudaStreamSynchronize(stream);
    }
  });
}

TEST("emulator: memory that is given back in a stream is there for what was put in before, and gone for what comes after") {
  const auto program = [](bool early) {
    const cudaStream_t stream = NewStream();
    void* memory;
    cudaMallocAsync(&memory, 4, stream);
    if (early) cudaFreeAsync(memory, stream);
    emulator::Launch(stream, "Test", {1}, 1, 0, [memory] { *static_cast<int*>(memory) = 1; });
    emulator::Host(stream, [memory] { *static_cast<int*>(memory) += 1; });
    if (!early) cudaFreeAsync(memory, stream);
    cudaStreamSynchronize(stream);
  };
  EXPECT(LastWords([&] { program(false); }).empty(), LastWords([&] { program(false); }));
  EXPECT_WORDS("reads or writes memory that is not its own", [&] { program(true); });
}

TEST("emulator: the environment says what a device meets") {
  const auto count_devices = [](const char* device) {
    return LastWords([=] {
      setenv("FLAB_EMULATED_DEVICE", device, 1);
      int count = 7;
      const cudaError_t error = cudaGetDeviceCount(&count);
      std::fprintf(stderr, "%d %d", static_cast<int>(error), count);
    });
  };
  EXPECT(count_devices("") == "0 1");
  EXPECT(count_devices("no-device") == testing::Join(static_cast<int>(cudaErrorNoDevice), " 0"));
  EXPECT(count_devices("old-driver") == testing::Join(static_cast<int>(cudaErrorInsufficientDriver), " 0"));
  EXPECT_WORDS(testing::Join(static_cast<int>(cudaErrorMemoryAllocation), " 60"), [] {
    setenv("FLAB_EMULATED_MEMORY", "100", 1);
    OnDevice<float>(10);
    void* more = nullptr;
    size_t available = 0, total = 0;
    cudaMemGetInfo(&available, &total);
    std::fprintf(stderr, "%d %zu", static_cast<int>(cudaMalloc(&more, 61)), available);
  });
}

TEST("emulator: after a fault nothing is done any more, and every call says so") {
  EXPECT_WORDS("done 0 700 700 700 700", [] {
    setenv("FLAB_EMULATED_FAULT", "2", 1);
    int* done = OnDevice<int>(1);
    *done = 0;
    for (int i = 0; i < 3; ++i) Run(1, 1, 0, [=] { *done = i; });
    void* memory;
    const cudaStream_t stream = NewStream();
    std::fprintf(stderr, "done %d %d %d %d %d", *done, static_cast<int>(cudaStreamSynchronize(stream)), static_cast<int>(cudaMalloc(&memory, 4)),
                 static_cast<int>(cudaMemsetAsync(done, 0, 4, stream)), static_cast<int>(cudaGetLastError()));
  });
}

}  // namespace
}  // namespace flab::cuda
