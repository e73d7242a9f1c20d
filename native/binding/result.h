#pragma once

#include <napi.h>

#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "binding/jobs.h"
#include "binding/values.h"

// Results of kernels, which may go into the caller's memory.

namespace flab::binding {

// The answer of a job whose result is in the caller's memory.
inline Napi::Value Nothing(Napi::Env env) { return env.Undefined(); }

// A result goes into the caller's memory and must not touch what is read.
inline void RefuseOverlap(std::span<const std::byte> out, std::span<const std::byte> data, const char* name) {
  if (out.data() < data.data() + data.size() && data.data() < out.data() + out.size()) {
    throw Error("ERR_BAD_ARGUMENT", std::string("out: expected memory that does not overlap ") + name);
  }
}

// Where a job puts `size` numbers: the caller's `out` if there is one, else memory of its own that the answer copies.
template <typename T>
class Result {
 public:
  Result(const Napi::Value& value, napi_typedarray_type type, int64_t size) : size_(size) {
    if (value.IsUndefined()) return;
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type ||
        static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength()) != size) {
      throw Error("ERR_BAD_ARGUMENT", "out: expected a typed array of its kind and of " + std::to_string(size) + " elements");
    }
    bytes_ = BytesOf(value, "out");
    given_ = true;
  }

  std::span<const std::byte> bytes() const { return bytes_; }

  // Called in the job: taking memory may fail there.
  T* Data() {
    if (!given_) own_.resize(size_);
    return given_ ? reinterpret_cast<T*>(bytes_.data()) : own_.data();
  }

  // After Data.
  Answer ToAnswer() {
    if (given_) return Nothing;
    return [own = std::move(own_)](Napi::Env env) -> Napi::Value {
      if constexpr (std::is_same_v<T, double>) {
        return FloatArray(env, own);
      } else {
        return IndexArray(env, own);
      }
    };
  }

 private:
  int64_t size_;
  bool given_ = false;
  std::span<std::byte> bytes_;
  std::vector<T> own_;
};

}  // namespace flab::binding
