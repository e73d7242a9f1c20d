#include "binding/mapped_file_object.h"

#include <utility>

#include "binding/environment.h"
#include "binding/jobs.h"
#include "binding/values.h"

namespace flab::binding {

Napi::Function MappedFileObject::Define(Napi::Env env) {
  return DefineClass(env, "MappedFile",
                     {InstanceAccessor<&MappedFileObject::Bytes>("bytes"), InstanceMethod<&MappedFileObject::View>("view"),
                      InstanceMethod<&MappedFileObject::Discard>("discard")});
}

MappedFileObject::MappedFileObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MappedFileObject>(info) {}

Napi::Value MappedFileObject::New(Napi::Env env, std::shared_ptr<MappedFile> file) {
  const Napi::Object object = Environment::Of(env).mapped_file.New({});
  Unwrap(object)->file_ = std::move(file);
  return object;
}

std::shared_ptr<MappedFile> MappedFileObject::From(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(Environment::Of(value.Env()).mapped_file.Value())) Refuse("file: expected a mapped file");
  auto file = Unwrap(value.As<Napi::Object>())->file_;
  if (!file) Refuse("file: expected an open mapped file");
  return file;
}

Napi::Value MappedFileObject::Bytes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), file_ ? file_->bytes() : 0); }

Napi::Value MappedFileObject::Discard(const Napi::CallbackInfo& info) {
  const int64_t begin = info[0].ToNumber().Int64Value(), end = info[1].ToNumber().Int64Value();
  if (!file_ || begin < 0 || end < begin || end > file_->bytes()) {
    throw ToJsError(info.Env(), Error("ERR_BAD_ARGUMENT", "discard: expected 0 <= begin <= end <= bytes of the file"));
  }
  file_->Discard(begin, end);
  return info.Env().Undefined();
}

Napi::Value MappedFileObject::View(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t begin = info[0].ToNumber().Int64Value(), end = info[1].ToNumber().Int64Value();
  if (!file_ || begin < 0 || end < begin || end > file_->bytes()) {
    throw ToJsError(env, Error("ERR_BAD_ARGUMENT", "view: expected 0 <= begin <= end <= bytes of the file"));
  }
  if (begin == end) return Napi::ArrayBuffer::New(env, 0);
  auto* owner = new std::shared_ptr<MappedFile>(file_);
  return Napi::ArrayBuffer::New(
      env, file_->Writable() + begin, end - begin, [](Napi::Env, void*, std::shared_ptr<MappedFile>* kept) { delete kept; }, owner);
}

}  // namespace flab::binding
