#include "device/slots.h"

namespace flab {

Slots::Slots(std::shared_ptr<Device> device, int64_t parts, int64_t slots, int64_t part_bytes, int32_t first_event, const char* what, Fill fill)
    : device_(std::move(device)), parts_(parts), part_bytes_(part_bytes), first_event_(first_event), what_(what), fill_(std::move(fill)), slots_(slots) {}

void* Slots::Get(int64_t part) {
  const FlabBackend& backend = device_->backend;
  const int64_t index = part % static_cast<int64_t>(slots_.size());
  if (current_ >= 0 && current_ != index && !keeps_all()) {
    // From here on the compute stream works with another slot: when it has come to this mark, the old one is free.
    device_->Check(backend.mark(device_->handle, FLAB_COMPUTE, used_event(current_)), what_);
  }
  Slot& slot = slots_[index];
  if (slot.part != part && current_ == index) device_->Check(backend.mark(device_->handle, FLAB_COMPUTE, used_event(index)), what_);
  Load(part);
  if (!slot.awaited) device_->Check(backend.wait(device_->handle, FLAB_COMPUTE, ready_event(index)), what_);
  slot.awaited = slot.used = true;
  current_ = index;
  return slot.memory.data();
}

void Slots::Prefetch(int64_t part) {
  // What is worked with now is not overwritten.
  if (part < parts_ && part % static_cast<int64_t>(slots_.size()) != current_) Load(part);
}

int64_t Slots::taken_bytes() const {
  int64_t bytes = 0;
  for (const Slot& slot : slots_) bytes += slot.memory.bytes();
  return bytes;
}

Slots::Slot& Slots::Load(int64_t part) {
  const FlabBackend& backend = device_->backend;
  const int64_t index = part % static_cast<int64_t>(slots_.size());
  Slot& slot = slots_[index];
  if (slot.part == part) return slot;
  if (!slot.memory) slot.memory = DeviceMemory(device_, part_bytes_, what_);
  if (slot.used) device_->Check(backend.wait(device_->handle, FLAB_UPLOAD, used_event(index)), what_);
  slot.part = -1;
  fill_(part, slot.memory.data());
  device_->Check(backend.mark(device_->handle, FLAB_UPLOAD, ready_event(index)), what_);
  slot.part = part;
  slot.awaited = slot.used = false;
  return slot;
}

}  // namespace flab
