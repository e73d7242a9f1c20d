#pragma once

#include <string>

#include "backend/conformance/conformance.h"

namespace flab::conformance {

// Whether the backend's device is the emulator's; where it is not, the test is skipped and says so.
inline bool IsEmulated() {
  FlabDeviceInfo info;
  Expect(Backend().info(0, &info), "info");
  if (std::string(info.name) == "emulated") return true;
  testing::Skip("of the emulator only");
  return false;
}

}  // namespace flab::conformance
