#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <vector>

#include "backend/device.h"
#include "model/model.h"
#include "model/positions.h"
#include "prune/neuron_scores.h"
#include "prune/walk_store.h"

// Models and devices that JavaScript holds, and what their calls are about. Readers throw as those of binding/values.h.

namespace flab::binding {

// Texts whose memory is the job's own.
struct OwnedTexts {
  std::vector<int32_t> ids, offsets;
  Texts texts() const { return {ids, offsets}; }
};

// A device and the lock of its jobs: one at a time, whatever models they run.
struct OpenedDevice {
  std::shared_ptr<Device> device;
  std::mutex mutex;
};

using DevicePointer = std::shared_ptr<OpenedDevice>;

// A model and what its jobs share: one at a time, so that each has all the memory; what a scoring of layers leaves for the next.
struct OpenedModel : Model {
  using Model::Model;
  std::mutex& mutex() { return device ? device->mutex : own_mutex; }

  DevicePointer device;  // that it runs on; null: the CPU
  WalkStore walks;
  std::mutex own_mutex;
};

using ModelPointer = std::shared_ptr<OpenedModel>;

Napi::Value WrapModel(Napi::Env env, ModelPointer model);
ModelPointer ReadModel(const Napi::Value& value);
void CloseModel(const Napi::Value& value);
ModelPointer ReadNewModel(const Napi::Object& object);

Napi::Value WrapDevice(Napi::Env env, DevicePointer device);
DevicePointer ReadDevice(const Napi::Value& value);
void CloseDevice(const Napi::Value& value);

// Absent parts of a view are filled in: all layers, all tokens.
ModelView ReadView(const Napi::Value& value, const Model& model);
OwnedTexts ReadTexts(const Napi::Value& value, const Model& model);
PositionKind ReadPositions(const Napi::Value& value);
NeuronMetric ReadMetric(const Napi::Value& value);

}  // namespace flab::binding
