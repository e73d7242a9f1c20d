#pragma once

#include <utility>
#include <vector>

#include "cuda/device.h"

namespace flab::cuda {

// Memory that kernels in the compute stream use among themselves: it is taken and given back in the stream, so that nobody waits. On a
// device without pools of memory (some virtual ones) the host waits before it is given back.
class Scratch {
 public:
  explicit Scratch(FlabDevice* device) : device_(device) {}
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  // FLAB_OK, or what failed. Aligned to 256 bytes on a device.
  template <typename T>
  int Take(int64_t count, T** memory) {
    void* taken = nullptr;
    const int code = TakeBytes(count * static_cast<int64_t>(sizeof(T)), &taken);
    *memory = static_cast<T*>(taken);
    return code;
  }

 private:
  int TakeBytes(int64_t bytes, void** memory);

  FlabDevice* device_;
  std::vector<void*> taken_;
};

}  // namespace flab::cuda
