#include <string>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

FlabFailure Failure() {
  FlabFailure failure;
  Backend().failure(&failure);
  return failure;
}

// Pinned memory of the host.
struct Pinned {
  explicit Pinned(int64_t count) { Expect(Backend().allocate_pinned(Device(), count * 4, &data), "allocate_pinned"); }
  ~Pinned() { Backend().release_pinned(Device(), data); }
  int32_t* numbers() const { return static_cast<int32_t*>(data); }
  void* data = nullptr;
};

TEST("backend: what is uploaded comes back, whole and in parts") {
  const std::vector<int32_t> numbers{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Memory memory = ToDevice(numbers), other(36);
  EXPECT(reinterpret_cast<uintptr_t>(memory.data()) % 16 == 0);
  Expect(Backend().copy(Device(), other.data(), memory.data(), 36), "copy");
  Expect(Backend().clear(Device(), other.as<uint8_t>() + 5, 3), "clear");
  Expect(Backend().copy(Device(), other.as<int32_t>() + 3, memory.as<int32_t>() + 8, 4), "copy");
  EXPECT(FromDevice<int32_t>(memory.data(), 9) == numbers);
  EXPECT((FromDevice<int32_t>(other.data(), 9) == std::vector<int32_t>{1, 2, 3, 9, 5, 6, 7, 8, 9}));
  Expect(Backend().clear(Device(), other.data(), 16), "clear");
  EXPECT((FromDevice<int32_t>(other.as<int32_t>() + 2, 3) == std::vector<int32_t>{0, 0, 5}));
}

TEST("backend: memory of no bytes is null, and copying none is legal") {
  const Memory none(0), some(4);
  EXPECT(none.data() == nullptr);
  Expect(Backend().upload(Device(), FLAB_COMPUTE, some.data(), nullptr, 0), "upload");
  Expect(Backend().download(Device(), nullptr, some.data(), 0), "download");
  Expect(Backend().copy(Device(), some.data(), none.data(), 0), "copy");
  Expect(Backend().clear(Device(), none.data(), 0), "clear");
  Backend().release(Device(), nullptr);
  Backend().release_pinned(Device(), nullptr);
}

// Two buffers in turns, as weights come: an upload waits until what was there has been used, its use until it is there.
TEST("backend: uploads and their uses wait for each other by events, and for the caller") {
  constexpr int32_t kThere = 0, kUsed = 2, kRounds = 20;
  const int64_t count = 1000;
  const Pinned host[2] = {Pinned(count), Pinned(count)};
  const Memory device[2] = {Memory(count * 4), Memory(count * 4)}, out(kRounds * count * 4);
  for (int32_t i = 0; i < kRounds; ++i) {
    const int32_t slot = i % 2;
    Expect(Backend().wait_here(Device(), kThere + slot), "wait_here");
    std::fill_n(host[slot].numbers(), count, i);
    Expect(Backend().wait(Device(), FLAB_UPLOAD, kUsed + slot), "wait");
    Expect(Backend().upload(Device(), FLAB_UPLOAD, device[slot].data(), host[slot].data, count * 4), "upload");
    Expect(Backend().mark(Device(), FLAB_UPLOAD, kThere + slot), "mark");
    Expect(Backend().wait(Device(), FLAB_COMPUTE, kThere + slot), "wait");
    Expect(Backend().copy(Device(), out.as<int32_t>() + i * count, device[slot].data(), count * 4), "copy");
    Expect(Backend().mark(Device(), FLAB_COMPUTE, kUsed + slot), "mark");
  }
  Expect(Backend().synchronize(Device(), FLAB_UPLOAD), "synchronize");
  const std::vector<int32_t> got = FromDevice<int32_t>(out.data(), kRounds * count);
  for (int64_t i = 0; i < kRounds * count; ++i) EXPECT(got[i] == i / count, "round ", i / count, ": ", got[i]);
}

TEST("backend: there is no event of another number") {
  for (const int32_t event : {-1, FLAB_EVENTS}) {
    EXPECT(Backend().mark(Device(), FLAB_COMPUTE, event) == FLAB_BAD_CALL);
    EXPECT(Backend().wait(Device(), FLAB_COMPUTE, event) == FLAB_BAD_CALL);
    EXPECT(Backend().wait_here(Device(), event) == FLAB_BAD_CALL);
    EXPECT(std::string(Failure().message) == "no event of that number", Failure().message);
  }
}

// A kernel finds no error that a call before it left.
void ExpectKernels() {
  const Memory one = ToDevice(std::vector<float>{1}), two = ToDevice(std::vector<float>{2});
  Expect(Backend().add_bias(Device(), one.as<float>(), two.as<float>(), 1, 1), "add_bias");
  EXPECT(FromDevice<float>(one.data(), 1) == std::vector<float>{3});
}

TEST("backend: more memory than there is is refused with how much was asked for and is there, and no more harm") {
  int64_t available = 0;
  Expect(Backend().available(Device(), &available), "available");
  EXPECT(available > 0);
  void* memory = &available;
  const int64_t asked = int64_t{1} << 50;
  EXPECT(Backend().allocate(Device(), asked, &memory) == FLAB_OUT_OF_MEMORY);
  EXPECT(memory == nullptr);
  const FlabFailure failure = Failure();
  EXPECT(failure.code == FLAB_OUT_OF_MEMORY && failure.asked == asked, failure.code, " ", failure.asked);
  EXPECT(failure.available > 0 && failure.available < asked, failure.available);
  EXPECT(std::string(failure.message) == testing::Join(asked, " bytes were asked for, ", failure.available, " are available"), failure.message);
  ExpectKernels();
  EXPECT(Backend().allocate_pinned(Device(), asked, &memory) == FLAB_OUT_OF_MEMORY);
  EXPECT(memory == nullptr);
  ExpectKernels();
}

TEST("backend: what is allocated is not available, until it is released") {
  // Of all the device: others may take and give back some of it at the same time.
  const int64_t bytes = int64_t{256} << 20, slack = 64 << 20;
  int64_t before = 0, with = 0, after = 0;
  Expect(Backend().available(Device(), &before), "available");
  {
    const Memory memory(bytes);
    Expect(Backend().available(Device(), &with), "available");
  }
  Expect(Backend().available(Device(), &after), "available");
  EXPECT(before - with >= bytes - slack, before, " ", with);
  EXPECT(after - with >= bytes - slack, with, " ", after);
}

TEST("backend: a device says what it is, and one that is not there is refused") {
  int32_t count = 0;
  Expect(Backend().count(&count), "count");
  EXPECT(count > 0);
  FlabDeviceInfo info;
  Expect(Backend().info(0, &info), "info");
  EXPECT(info.name[0] != 0 && info.major >= 8 && info.processors > 0 && info.cache > 0, info.name);
  EXPECT(info.driver / 1000 >= info.runtime / 1000, "a driver of the same major version will do: ", info.driver, " ", info.runtime);
  EXPECT(info.memory >= info.available && info.available > 0, info.memory, " ", info.available);
  FlabDevice* device = nullptr;
  EXPECT(Backend().open(count, nullptr, &device) == FLAB_NO_DEVICE);
  EXPECT(device == nullptr && Failure().code == FLAB_NO_DEVICE);
  EXPECT(std::string(Failure().message).find("invalid device ordinal") != std::string::npos, Failure().message);
  ExpectKernels();
}

}  // namespace
}  // namespace flab::conformance
