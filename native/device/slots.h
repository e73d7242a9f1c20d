#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backend/device.h"

namespace flab {

// Memory of a device for a sequence of equal parts of a model (its layers, pieces of its head), filled from the host. With a slot for
// each part they are uploaded once. With two, one is computed with while the next is uploaded.
class Slots {
 public:
  // Uploads a part to `to`, in the upload stream.
  using Fill = std::function<void(int64_t part, void* to)>;

  // Takes the events [first_event, first_event + 4).
  Slots(std::shared_ptr<Device> device, int64_t parts, int64_t slots, int64_t part_bytes, int32_t first_event, const char* what, Fill fill);

  // The part's memory, for what is put into the compute stream until the next Get.
  void* Get(int64_t part);
  // Begins to upload a part, if it is not there, while what was put into the compute stream before the last Get may still run.
  void Prefetch(int64_t part);

  // Bytes of the device that it holds.
  int64_t taken_bytes() const;
  bool keeps_all() const { return static_cast<int64_t>(slots_.size()) == parts_; }

 private:
  struct Slot {
    DeviceMemory memory;
    int64_t part = -1;
    bool awaited = false;  // the compute stream waits for the upload
    bool used = false;     // the compute stream has worked with it
  };

  Slot& Load(int64_t part);
  int32_t ready_event(int64_t slot) const { return first_event_ + static_cast<int32_t>(slot % 2); }
  int32_t used_event(int64_t slot) const { return first_event_ + 2 + static_cast<int32_t>(slot % 2); }

  const std::shared_ptr<Device> device_;
  const int64_t parts_, part_bytes_;
  const int32_t first_event_;
  const char* const what_;
  const Fill fill_;
  std::vector<Slot> slots_;
  int64_t current_ = -1;  // slot that is worked with
};

}  // namespace flab
