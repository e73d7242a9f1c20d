#pragma once

#include <vector>

#include "device/context.h"
#include "model/engine.h"

namespace flab {

// States that stay in the device's memory, within context.saved.most bytes of it. Each is there until it is loaded.
class DeviceSavedStates : public SavedStates {
 public:
  explicit DeviceSavedStates(DeviceContext& context) : context_(context) {}
  ~DeviceSavedStates() override;

  int64_t Save(States& states, int64_t first, int64_t count) override;
  void Load(int64_t place, States& states, int64_t first, int64_t count) override;

 private:
  DeviceContext& context_;
  std::vector<DeviceMemory> saved_;
};

}  // namespace flab
