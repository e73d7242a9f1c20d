#include "device/saved_states.h"

#include "device/states.h"

namespace flab {
namespace {

constexpr const char* kWhat = "saving states";

}  // namespace

DeviceSavedStates::~DeviceSavedStates() {
  for (const DeviceMemory& memory : saved_) context_.saved.taken -= memory.bytes();
}

int64_t DeviceSavedStates::Save(States& states, int64_t first, int64_t count) {
  const int64_t bytes = count * states.size() * 4;
  if (context_.saved.taken + bytes > context_.saved.most) return -1;
  DeviceMemory memory;
  try {
    memory = DeviceMemory(context_.device, bytes, kWhat);
  } catch (const Error& error) {
    if (error.code != "ERR_DEVICE_MEMORY") throw;
    return -1;
  }
  context_.Check(context_.backend().copy(context_.handle(), memory.data(), static_cast<DeviceStates&>(states).At(first), bytes), kWhat);
  context_.saved.taken += bytes;
  saved_.push_back(std::move(memory));
  return static_cast<int64_t>(saved_.size()) - 1;
}

void DeviceSavedStates::Load(int64_t place, States& states, int64_t first, int64_t count) {
  const DeviceMemory memory = std::move(saved_[place]);
  context_.saved.taken -= memory.bytes();
  context_.Check(context_.backend().copy(context_.handle(), static_cast<DeviceStates&>(states).At(first), memory.data(), count * states.size() * 4), kWhat);
}

}  // namespace flab
