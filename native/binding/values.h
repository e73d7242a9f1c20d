#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "base/mapped_file.h"
#include "base/tensor.h"
#include "checkpoint/writer.h"
#include "model/model.h"
#include "prune/neuron_scores.h"
#include "model/positions.h"
#include "prune/walk_store.h"

// JavaScript values as C++ values: the shapes are those of ts/native/contract.ts. Every reader throws
// Error("ERR_BAD_ARGUMENT") with the name of what is wrong.

namespace flab::binding {

// The MappedFile of JavaScript.
class MappedFileObject : public Napi::ObjectWrap<MappedFileObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value New(Napi::Env env, std::shared_ptr<MappedFile> file);
  static std::shared_ptr<MappedFile> From(const Napi::Value& value);
  explicit MappedFileObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Bytes(const Napi::CallbackInfo& info);
  Napi::Value View(const Napi::CallbackInfo& info);
  Napi::Value Discard(const Napi::CallbackInfo& info);

  std::shared_ptr<MappedFile> file_;
};

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

// [size] numbers for JavaScript.
Napi::Value IndexArray(Napi::Env env, const std::vector<uint32_t>& values);

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
std::vector<WriteFile> ReadWriteFiles(const Napi::Value& value);

// A caller's matrix (KernelMatrix); its memory must be kept alive by the job. Absent: an empty tensor.
Tensor ReadMatrix(const Napi::Value& value);

// The product of sizes, none negative; refused where it passes 64 bits. `name` is for the message.
int64_t Product(std::initializer_list<int64_t> factors, const std::string& name);

// A call's one object.
Napi::Object ReadInput(const Napi::CallbackInfo& info);

// A list of `object`; what its elements are is for the caller to check.
Napi::Array ReadList(const Napi::Object& object, const char* name);

// The memory of a typed array, shared memory included.
std::span<std::byte> BytesOf(const Napi::Value& value, const char* name);

std::string GetString(const Napi::Object& object, const char* name);
int64_t GetInteger(const Napi::Object& object, const char* name);  // at least 0
std::vector<uint32_t> ReadIndices(const Napi::Value& value, int64_t limit, const char* name);
bool ReadFlag(const Napi::Object& object, const char* name);

Napi::Value FloatArray(Napi::Env env, const std::vector<double>& values);

}  // namespace flab::binding
