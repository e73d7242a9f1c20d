// The call that writes files: pieces of mapped files, one after the other.

#include <napi.h>

#include <optional>
#include <utility>
#include <vector>

#include "binding/calls.h"
#include "binding/jobs.h"
#include "binding/mapped_file_object.h"
#include "binding/values.h"
#include "checkpoint/writer.h"

namespace flab::binding {
namespace {

WritePiece ReadPiece(const Napi::Object& object) {
  WritePiece piece{.file = MappedFileObject::From(object.Get("file")),
                   .begin = GetInteger(object, "begin"),
                   .rows = GetInteger(object, "rows"),
                   .columns = GetInteger(object, "columns"),
                   .item_bytes = GetInteger(object, "itemBytes"),
                   .keep_rows = std::nullopt,
                   .keep_columns = std::nullopt};
  const int64_t bytes = Product({piece.rows, piece.columns, piece.item_bytes}, "a piece of " + piece.file->path());
  if (piece.begin > piece.file->bytes() || bytes > piece.file->bytes() - piece.begin) {
    Refuse("a piece of " + piece.file->path() + " ends past the end of the file");
  }
  const Napi::Value rows = object.Get("keepRows"), columns = object.Get("keepColumns");
  if (Present(rows)) piece.keep_rows = ReadIndices(rows, piece.rows, "keepRows");
  if (Present(columns)) piece.keep_columns = ReadIndices(columns, piece.columns, "keepColumns");
  return piece;
}

std::vector<WriteFile> ReadWriteFiles(const Napi::Value& value) {
  if (!value.IsArray()) Refuse("files: expected an array");
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<WriteFile> files;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object object = list.Get(i).As<Napi::Object>();
    WriteFile file{.path = GetString(object, "path"), .header = {}, .pieces = {}};
    const auto header = GetArray<Napi::Uint8Array>(object.Get("header"), napi_uint8_array, "header");
    const auto* bytes = reinterpret_cast<const std::byte*>(header.Data());
    file.header.assign(bytes, bytes + header.ByteLength());
    const Napi::Array pieces = ReadList(object, "pieces");
    for (uint32_t j = 0; j < pieces.Length(); ++j) file.pieces.push_back(ReadPiece(pieces.Get(j).As<Napi::Object>()));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

Napi::Value StartWriteFiles(const Napi::CallbackInfo& info) {
  auto work = [files = ReadWriteFiles(info[0])](Job& job) {
    const int64_t bytes = WriteFiles(job, files);
    return [bytes](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, bytes); };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

}  // namespace flab::binding
