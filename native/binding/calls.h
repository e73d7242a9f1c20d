#pragma once

#include <napi.h>

// The calls of ts/native/contract.ts that read an input and start a job: {promise, cancel}. Core errors are thrown as they are; addon.cc
// makes JavaScript's of them.

namespace flab::binding {

// models.cc: the calls that run a model.
Napi::Value LeastMemory(const Napi::CallbackInfo& info);  // at once
Napi::Value StartScoreLayers(const Napi::CallbackInfo& info);
Napi::Value StartMeasure(const Napi::CallbackInfo& info);
Napi::Value StartRankNeurons(const Napi::CallbackInfo& info);
Napi::Value StartLogits(const Napi::CallbackInfo& info);
Napi::Value StartCompare(const Napi::CallbackInfo& info);

// devices.cc
Napi::Value StartCountDevices(const Napi::CallbackInfo& info);
Napi::Value StartListDevices(const Napi::CallbackInfo& info);
Napi::Value StartOpenDevice(const Napi::CallbackInfo& info);

// kernels.cc: over callers' tensors.
Napi::Value StartSliceRows(const Napi::CallbackInfo& info);
Napi::Value StartSliceColumns(const Napi::CallbackInfo& info);
Napi::Value StartKlDivergence(const Napi::CallbackInfo& info);
Napi::Value StartNeuronScores(const Napi::CallbackInfo& info);
Napi::Value StartTopK(const Napi::CallbackInfo& info);

// writes.cc
Napi::Value StartWriteFiles(const Napi::CallbackInfo& info);

}  // namespace flab::binding
