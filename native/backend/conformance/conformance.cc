#include "backend/conformance/conformance.h"

#include <cstdlib>

#include "backend/library.h"

namespace flab::conformance {
const FlabBackend& Backend() {
  return OpenBackend("flab_cuda.so");
}

FlabDevice* Device() {
  static FlabDevice* const device = [] {
    FlabDevice* opened = nullptr;
    Expect(Backend().open(0, std::getenv("FLAB_PRODUCTS"), &opened), "open");
    return opened;
  }();
  return device;
}

void Expect(int code, const char* what) {
  if (code == FLAB_OK) return;
  FlabFailure failure;
  Backend().failure(&failure);
  testing::Fail("", 0, what, testing::Join("code ", failure.code, ": ", failure.message));
  throw testing::Ended();
}

Memory::Memory(int64_t bytes) : bytes_(bytes) { Expect(Backend().allocate(Device(), bytes, &data_), "allocate"); }

Memory::~Memory() {
  if (data_) Backend().release(Device(), data_);
}

void Upload(void* to, const void* from, int64_t bytes) {
  void* pinned = nullptr;
  Expect(Backend().allocate_pinned(Device(), bytes, &pinned), "allocate_pinned");
  std::memcpy(pinned, from, static_cast<size_t>(bytes));
  Expect(Backend().upload(Device(), FLAB_COMPUTE, to, pinned, bytes), "upload");
  Expect(Backend().synchronize(Device(), FLAB_COMPUTE), "synchronize");
  Backend().release_pinned(Device(), pinned);
}

void Download(void* to, const void* from, int64_t bytes) { Expect(Backend().download(Device(), to, from, bytes), "download"); }

// Of numbers below 65,504; what is less than the least normal half becomes zero, and the rest loses its last bits. Any half is as good
// as the nearest here.
static uint16_t ToF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  return static_cast<uint16_t>(size < 113u << 23 ? sign : sign | ((size >> 13) - (112 << 10)));
}

Numbers Round(const std::vector<float>& values, int32_t dtype) {
  Numbers numbers{.dtype = dtype, .bytes = {}, .values = {}};
  const size_t item = dtype == FLAB_F32 ? 4 : 2;
  numbers.bytes.resize(values.size() * item);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = dtype == FLAB_F16 ? ToF16(values[i]) : ToBF16(values[i]);
    std::memcpy(numbers.bytes.data() + i * item, dtype == FLAB_F32 ? static_cast<const void*>(&values[i]) : &half, item);
    numbers.values.push_back(dtype == FLAB_F32 ? values[i] : dtype == FLAB_BF16 ? FromBF16(half) : FromF16(half));
  }
  return numbers;
}

std::vector<double> NumbersFromDevice(const void* memory, int32_t dtype, int64_t count) {
  std::vector<double> numbers;
  if (dtype == FLAB_F32) {
    for (const float value : FromDevice<float>(memory, count)) numbers.push_back(value);
  } else {
    for (const uint16_t half : FromDevice<uint16_t>(memory, count)) numbers.push_back(dtype == FLAB_BF16 ? FromBF16(half) : FromF16(half));
  }
  return numbers;
}

}  // namespace flab::conformance
