// Parts that are streamed to a device in pieces. FLAB_CUDA_LIBRARY names the backend's library.

#include "device/slots.h"

#include <atomic>
#include <cstdlib>

#include "base/testing.h"

namespace flab {
namespace {

constexpr int64_t kParts = 5, kCount = 150;     // numbers in a part
constexpr int64_t kPieceBytes = 256;            // of which a part takes three
constexpr int64_t kRounds = 200, kFailing = 7;  // on average, one piece in so many fails

// Part p has the numbers 1000 p + i. They go over as two uploads; filling them fails now and then.
struct Parts {
  explicit Parts(int64_t slots)
      : device(Device::Open(OpenBackend("flab_cuda.so"), 0, "", 0)), uploader(device, kPieceBytes), slots(uploader, kParts, slots, kCount * 4, 0, "a test", [this](int64_t part, void* to) {
          return Uploads({Numbers(part, 0, 40, to), Numbers(part, 40, kCount - 40, static_cast<int32_t*>(to) + 40)});
        }) {}

  Upload Numbers(int64_t part, int64_t begin, int64_t count, void* to) {
    return {count, 4, to, [=, this](int64_t first, int64_t items, std::byte* out) {
              if (fails) throw Error("ERR_READ", "this one fails");
              ++fills;
              for (int64_t i = 0; i < items; ++i) reinterpret_cast<int32_t*>(out)[i] = static_cast<int32_t>(1000 * part + begin + first + i);
            }};
  }

  std::shared_ptr<Device> device;
  Uploader uploader;
  Slots slots;
  bool fails = false;
  std::atomic<int> fills{0};  // one for each upload in a piece
};

// The parts in any order, with guesses that are mostly wrong. Each is copied elsewhere in the compute stream, so that what overwrites it too
// soon, or comes too late, shows.
void ExpectParts(int64_t slots) {
  Parts parts(slots);
  Job job;
  testing::Random random(static_cast<uint32_t>(slots));
  const FlabBackend& backend = parts.device->backend;
  const DeviceMemory copies(parts.device, kRounds * kCount * 4, "a test");
  std::vector<int64_t> asked;
  for (int64_t round = 0; round < kRounds; ++round) {
    const int64_t part = random.Below(kParts);
    const auto get = [&] {
      parts.fails = random.Below(kFailing) == 0;
      for (int64_t guesses = random.Below(4); guesses > 0; --guesses) parts.slots.Prefetch(job, random.Below(kParts));
      return parts.slots.Get(job, part);
    };
    void* memory = nullptr;
    if (testing::CodeOf([&] { memory = get(); }) == "ERR_READ") {
      parts.fails = false;
      memory = parts.slots.Get(job, part);
    }
    parts.device->Check(backend.copy(parts.device->handle, copies.data<int32_t>(round * kCount * 4), memory, kCount * 4), "a test");
    asked.push_back(part);
  }
  std::vector<int32_t> got(kRounds * kCount);
  parts.device->Check(backend.download(parts.device->handle, got.data(), copies.data(), kRounds * kCount * 4), "a test");
  for (int64_t i = 0; i < kRounds * kCount; ++i) {
    CHECK(got[i] == 1000 * asked[i / kCount] + i % kCount, "round ", i / kCount, ", part ", asked[i / kCount], ", number ", i % kCount, ": ", got[i]);
  }
  EXPECT(parts.slots.taken_bytes() == slots * kCount * 4, parts.slots.taken_bytes());
}

TEST("device: parts in two slots are those that were asked for, whatever was begun before or failed") { ExpectParts(2); }

TEST("device: what was uploaded ahead of time is not uploaded again, and a part that is there not at all") {
  Parts parts(2);
  Job job;
  std::string fills;
  const auto count = [&] { fills += testing::Join(parts.fills.exchange(0)); };
  parts.slots.Get(job, 0), count();
  parts.slots.Prefetch(job, 3), count();
  parts.slots.Prefetch(job, 3), count();
  parts.slots.Get(job, 3), count();
  parts.slots.Prefetch(job, 0), count();
  parts.slots.Get(job, 0), count();
  EXPECT(fills == "421100", fills);
}

TEST("device: parts with a slot each are those that were asked for, whatever was begun before or failed") { ExpectParts(kParts); }

}  // namespace
}  // namespace flab
