#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"

// JavaScript values as C++ values: the shapes are those of ts/native/contract.ts. Every reader throws
// Error("ERR_BAD_ARGUMENT") with the name of what is wrong.

namespace flab::binding {

[[noreturn]] void Refuse(const std::string& message);

// Neither undefined nor null.
bool Present(const Napi::Value& value);

// A call's one object.
Napi::Object ReadInput(const Napi::CallbackInfo& info);

Napi::Object GetObject(const Napi::Object& object, const char* name);
std::string GetString(const Napi::Object& object, const char* name);
int64_t GetInteger(const Napi::Object& object, const char* name);  // at least 0
float GetFloat(const Napi::Object& object, const char* name);
bool ReadFlag(const Napi::Object& object, const char* name);

// A list of `object`; what its elements are is for the caller to check.
Napi::Array ReadList(const Napi::Object& object, const char* name);

template <typename Array>
Array GetArray(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) Refuse(std::string(name) + ": expected a typed array of its kind");
  return value.As<Array>();
}

template <typename T, typename Array>
std::vector<T> Copy(const Array& array) {
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

// Ascending, each below `limit`.
std::vector<uint32_t> ReadIndices(const Napi::Value& value, int64_t limit, const char* name);

// The memory of a typed array, shared memory included.
std::span<std::byte> BytesOf(const Napi::Value& value, const char* name);

Dtype ReadDtype(const std::string& name);

// A caller's matrix (KernelMatrix); its memory must be kept alive by the job. Absent: an empty tensor.
Tensor ReadMatrix(const Napi::Value& value);

// The product of sizes, none negative; refused where it passes 64 bits. `name` is for the message.
int64_t Product(std::initializer_list<int64_t> factors, const std::string& name);

// Numbers for JavaScript.
Napi::Value IndexArray(Napi::Env env, const std::vector<uint32_t>& values);
Napi::Value FloatArray(Napi::Env env, const std::vector<double>& values);

}  // namespace flab::binding
