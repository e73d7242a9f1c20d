#include "binding/values.h"

#include <algorithm>

namespace flab::binding {

void Refuse(const std::string& message) { throw Error("ERR_BAD_ARGUMENT", message); }

bool Present(const Napi::Value& value) { return !value.IsUndefined() && !value.IsNull(); }

Napi::Object GetObject(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsObject()) Refuse(std::string(name) + ": expected an object");
  return value.As<Napi::Object>();
}

float GetFloat(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) Refuse(std::string(name) + ": expected a number");
  return value.As<Napi::Number>().FloatValue();
}

Dtype ReadDtype(const std::string& name) {
  if (name == "F32") return Dtype::kF32;
  if (name == "F16") return Dtype::kF16;
  if (name == "BF16") return Dtype::kBF16;
  Refuse("dtype: expected F32, F16 or BF16, got " + name);
}

int64_t GetInteger(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0) || number > 9007199254740991.0 || number != static_cast<double>(static_cast<int64_t>(number))) {
    Refuse(std::string(name) + ": expected an integer of at least 0");
  }
  return static_cast<int64_t>(number);
}

std::string GetString(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) Refuse(std::string(name) + ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}

Tensor ReadMatrix(const Napi::Value& value) {
  Tensor tensor;
  if (!Present(value)) return tensor;
  const Napi::Object object = value.As<Napi::Object>();
  tensor.dtype = ReadDtype(GetString(object, "dtype"));
  tensor.rows = GetInteger(object, "rows");
  tensor.columns = GetInteger(object, "columns");
  const std::span<std::byte> bytes = BytesOf(object.Get("data"), "data");
  const int64_t expected = Product({tensor.rows, tensor.columns, ItemBytes(tensor.dtype)}, "data");
  if (static_cast<int64_t>(bytes.size()) != expected) {
    Refuse("data: expected " + std::to_string(expected) + " bytes, got " + std::to_string(bytes.size()));
  }
  static const std::byte kNothing{};  // an empty array has no memory, but is a matrix all the same
  tensor.data = bytes.empty() ? &kNothing : bytes.data();
  return tensor;
}

int64_t Product(std::initializer_list<int64_t> factors, const std::string& name) {
  int64_t product = 1;
  for (const int64_t factor : factors) {
    if (factor < 0 || __builtin_mul_overflow(product, factor, &product)) Refuse(name + ": expected sizes whose product fits 64 bits");
  }
  return product;
}

Napi::Array ReadList(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsArray()) Refuse(std::string(name) + ": expected an array");
  return value.As<Napi::Array>();
}

std::span<std::byte> BytesOf(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray()) Refuse(std::string(name) + ": expected a typed array");
  size_t length = 0;
  void* data = nullptr;
  // Not through Napi::TypedArray::ArrayBuffer(), which refuses shared memory.
  if (napi_get_typedarray_info(value.Env(), value, nullptr, &length, &data, nullptr, nullptr) != napi_ok) {
    Refuse(std::string(name) + ": could not be read");
  }
  return {static_cast<std::byte*>(data), length * value.As<Napi::TypedArray>().ElementSize()};
}

std::vector<uint32_t> ReadIndices(const Napi::Value& value, int64_t limit, const char* name) {
  std::vector<uint32_t> indices = Copy<uint32_t>(GetArray<Napi::Uint32Array>(value, napi_uint32_array, name));
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= limit || (i > 0 && indices[i] <= indices[i - 1])) {
      Refuse(std::string(name) + ": expected ascending indices below " + std::to_string(limit));
    }
  }
  return indices;
}

Napi::Object ReadInput(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) Refuse("input: expected an object");
  return info[0].As<Napi::Object>();
}

bool ReadFlag(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }

Napi::Value IndexArray(Napi::Env env, const std::vector<uint32_t>& values) {
  auto array = Napi::Uint32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value FloatArray(Napi::Env env, const std::vector<double>& values) {
  auto array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

}  // namespace flab::binding
