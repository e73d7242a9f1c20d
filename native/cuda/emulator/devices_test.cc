// What opening a device meets, as the emulator's environment says, and what becomes of it.

#include <cstdlib>
#include <string>

#include "backend/conformance/conformance.h"
#include "cuda/emulator/emulated_only.h"

namespace flab::conformance {
namespace {

// While one lives, the device is one of that kind.
class Kind {
 public:
  explicit Kind(const char* kind) { setenv("FLAB_EMULATED_DEVICE", kind, 1); }
  ~Kind() { unsetenv("FLAB_EMULATED_DEVICE"); }
};

TEST("emulated devices: what can't be opened is refused with a code and a sentence of its own") {
  if (!IsEmulated()) return;
  const auto expect = [](const char* kind, int code, const std::string& words) {
    const Kind device_is(kind);
    FlabDevice* device = nullptr;
    int32_t count = 0;
    int got = Backend().count(&count);
    if (got == FLAB_OK) got = Backend().open(0, "", &device);
    FlabFailure failure;
    Backend().failure(&failure);
    EXPECT(got == code && failure.code == code && device == nullptr, kind, ": ", got);
    EXPECT(std::string(failure.message).find(words) != std::string::npos, kind, ": ", failure.message);
  };
  expect("no-device", FLAB_NO_DEVICE, "no CUDA-capable device is detected");
  expect("old-driver", FLAB_OLD_DRIVER, "driver version is insufficient");
  expect("busy", FLAB_BUSY, "busy or unavailable");
  expect("not-ready", FLAB_NO_DRIVER, "system not yet initialized");
  expect("unknown", FLAB_NO_DRIVER, "unknown error");
  expect("unsupported", FLAB_UNSUPPORTED, "emulated has compute capability 7.0, the oldest supported one is 8.0");
  expect("no-code", FLAB_UNSUPPORTED, "emulated has compute capability 11.0, which this library has no code for");
}

TEST("emulated devices: one that takes no memory in a stream computes all the same, and gives it back") {
  if (!IsEmulated()) return;
  const Kind device_is("no-pools");
  FlabDevice* device = nullptr;
  Expect(Backend().open(0, "", &device), "open");
  int64_t before = 0, after = 0;
  {
    const Memory scores = ToDevice(std::vector<double>{3, 1, 4, 1, 5, 9, 2, 6}), out(8);
    Expect(Backend().available(device, &before), "available");
    Expect(Backend().top_k(device, scores.as<double>(), 1, 8, 2, out.as<uint32_t>()), "top_k");
    Expect(Backend().available(device, &after), "available");
    EXPECT(before == after);
    EXPECT((FromDevice<uint32_t>(out.data(), 2) == std::vector<uint32_t>{5, 7}));
  }
  Backend().close(device);
}

}  // namespace
}  // namespace flab::conformance
