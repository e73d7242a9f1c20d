#include "device/slots.h"

#include <utility>

namespace flab {

Slots::Slots(Uploader& uploader, int64_t parts, int64_t slots, int64_t part_bytes, int32_t first_event, const char* what, Contents contents)
    : uploader_(uploader), parts_(parts), part_bytes_(part_bytes), first_event_(first_event), what_(what), contents_(std::move(contents)), slots_(slots) {}

void* Slots::Get(const Job& job, int64_t part) {
  Device& device = *uploader_.device();
  const int64_t index = SlotOf(part);
  if (current_ >= 0 && current_ != index && !keeps_all()) {
    // From here on the compute stream works with another slot: when it has come to this mark, the old one is free.
    Check(device.backend.mark(device.handle, FLAB_COMPUTE, used_event(current_)));
  }
  Slot& slot = slots_[index];
  if (slot.part != part && !IsLoading(part)) Begin(part);
  while (slot.part != part) LoadPiece(job);
  if (!slot.awaited) Check(device.backend.wait(device.handle, FLAB_COMPUTE, ready_event(index)));
  slot.awaited = slot.used = true;
  current_ = index;
  return slot.memory.data();
}

void Slots::Prefetch(const Job& job, int64_t part) {
  if (!loading_ && slots_[SlotOf(part)].part != part) Begin(part);
  if (loading_) LoadPiece(job);
}

int64_t Slots::taken_bytes() const {
  int64_t bytes = 0;
  for (const Slot& slot : slots_) bytes += slot.memory.bytes();
  return bytes;
}

// Where the part is, or will be: of two, the one that is not worked with.
int64_t Slots::SlotOf(int64_t part) const {
  if (keeps_all()) return part;
  if (IsLoading(part)) return loading_->slot;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].part == part) return static_cast<int64_t>(i);
  }
  return current_ == 0 ? 1 : 0;
}

// What was being loaded and is not what is asked for stays unfinished. What is on its way arrives before what goes to the same memory now.
void Slots::Begin(int64_t part) {
  Device& device = *uploader_.device();
  const int64_t index = SlotOf(part);
  Slot& slot = slots_[index];
  loading_.reset();
  if (!slot.memory) slot.memory = DeviceMemory(uploader_.device(), part_bytes_, what_);
  if (slot.used) Check(device.backend.wait(device.handle, FLAB_UPLOAD, used_event(index)));
  slot.part = -1;
  slot.awaited = slot.used = false;
  loading_ = Loading{part, index, contents_(part, slot.memory.data())};
}

void Slots::LoadPiece(const Job& job) {
  Device& device = *uploader_.device();
  // Where this fails, the part is loaded anew.
  Loading loading = std::move(*loading_);
  loading_.reset();
  uploader_.SendPiece(job, loading.rest);
  if (!loading.rest.done()) {
    loading_ = std::move(loading);
    return;
  }
  Check(device.backend.mark(device.handle, FLAB_UPLOAD, ready_event(loading.slot)));
  slots_[loading.slot].part = loading.part;
}

}  // namespace flab
