#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "device/uploader.h"

namespace flab {

// Memory of a device for a sequence of equal parts of a model (its layers, pieces of its head), filled from the host. With a slot for
// each part they are uploaded once. With two, one is computed with while the next is uploaded.
class Slots {
 public:
  // What a part's memory is filled with.
  using Contents = std::function<Uploads(int64_t part, void* to)>;

  // Takes the events [first_event, first_event + 4).
  Slots(Uploader& uploader, int64_t parts, int64_t slots, int64_t part_bytes, int32_t first_event, const char* what, Contents contents);

  // The part's memory, for what is put into the compute stream until the next Get.
  void* Get(const Job& job, int64_t part);
  // Uploads a piece of a part that may be asked for next, if it is not there, while what was put into the compute stream may still run.
  void Prefetch(const Job& job, int64_t part);

  // Bytes of the device that it holds.
  int64_t taken_bytes() const;
  bool keeps_all() const { return static_cast<int64_t>(slots_.size()) == parts_; }

 private:
  struct Slot {
    DeviceMemory memory;
    int64_t part = -1;     // that is there as a whole
    bool awaited = false;  // the compute stream waits for the upload
    bool used = false;     // the compute stream has worked with it
  };
  struct Loading {
    int64_t part, slot;
    Uploads rest;
  };

  bool IsLoading(int64_t part) const { return loading_ && loading_->part == part; }
  int64_t SlotOf(int64_t part) const;
  void Begin(int64_t part);
  void LoadPiece(const Job& job);
  void Check(int code) const { uploader_.device()->Check(code, what_); }
  int32_t ready_event(int64_t slot) const { return first_event_ + static_cast<int32_t>(slot % 2); }
  int32_t used_event(int64_t slot) const { return first_event_ + 2 + static_cast<int32_t>(slot % 2); }

  Uploader& uploader_;
  const int64_t parts_, part_bytes_;
  const int32_t first_event_;
  const char* const what_;
  const Contents contents_;
  std::vector<Slot> slots_;
  int64_t current_ = -1;  // slot that is worked with
  std::optional<Loading> loading_;
};

}  // namespace flab
