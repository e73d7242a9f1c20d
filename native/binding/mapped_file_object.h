#pragma once

#include <napi.h>

#include <memory>

#include "base/mapped_file.h"

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

}  // namespace flab::binding
