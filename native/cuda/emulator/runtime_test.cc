// Streams, copies, what the environment sets, and faults.

#include <sys/mman.h>

#include <cmath>

#include "cuda/emulator/programs.h"

namespace flab::cuda {
namespace {

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

TEST("emulator: memory that is given back while a stream may work with it is gone in some orders") {
  const auto program = [](bool waits) {
    const cudaStream_t stream = NewStream();
    int* number = OnDevice<int>(1);
    emulator::Launch(stream, "Test", {1}, 1, 0, [number] { *number = 1; });
    if (waits) cudaStreamSynchronize(stream);
    cudaFree(number);
    cudaStreamSynchronize(stream);
  };
  EXPECT(LastWords([&] { program(true); }).empty());
  int refused = 0;
  for (int seed = 1; seed <= kOrders; ++seed) refused += LastWords([&] { program(false); }, seed).find("memory that is not its own") != std::string::npos;
  EXPECT(refused > 0);
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
  EXPECT(count_devices("busy,sound,sound") == "0 3");
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
