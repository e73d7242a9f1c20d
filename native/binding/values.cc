#include "binding/values.h"

#include <limits>
#include <numeric>

#include "base/error.h"
#include "binding/environment.h"
#include "binding/jobs.h"
#include "device/engine.h"

namespace flab::binding {
namespace {

[[noreturn]] void Refuse(const std::string& message) { throw Error("ERR_BAD_ARGUMENT", message); }

Napi::Value Get(const Napi::Object& object, const char* name) { return object.Get(name); }

bool Present(const Napi::Value& value) { return !value.IsUndefined() && !value.IsNull(); }

Napi::Object GetObject(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  if (!value.IsObject()) Refuse(std::string(name) + ": expected an object");
  return value.As<Napi::Object>();
}

float GetFloat(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  if (!value.IsNumber()) Refuse(std::string(name) + ": expected a number");
  return value.As<Napi::Number>().FloatValue();
}

template <typename Array>
Array GetArray(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    Refuse(std::string(name) + ": expected a typed array of its kind");
  }
  return value.As<Array>();
}

template <typename T, typename Array>
std::vector<T> Copy(const Array& array) {
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

Dtype ReadDtype(const std::string& name) {
  if (name == "F32") return Dtype::kF32;
  if (name == "F16") return Dtype::kF16;
  if (name == "BF16") return Dtype::kBF16;
  Refuse("dtype: expected F32, F16 or BF16, got " + name);
}

// A weight with the shape that the model's numbers ask for.
Tensor ReadWeight(const Napi::Object& parent, const char* role, int64_t rows, int64_t columns, bool optional = false) {
  const Napi::Value value = Get(parent, role);
  if (optional && !Present(value)) return {};
  const Napi::Object object = GetObject(parent, role);
  Tensor tensor;
  const auto file = MappedFileObject::From(Get(object, "file"));
  const int64_t begin = GetInteger(object, "begin");
  tensor.name = GetString(object, "name");
  tensor.dtype = ReadDtype(GetString(object, "dtype"));
  tensor.rows = rows;
  tensor.columns = columns;
  const Napi::Array shape = ReadList(object, "shape");
  int64_t elements = 1;
  for (uint32_t i = 0; i < shape.Length(); ++i) elements = Product({elements, shape.Get(i).ToNumber().Int64Value()}, tensor.name);
  const int64_t bytes = Product({rows, columns, ItemBytes(tensor.dtype)}, tensor.name);
  if (elements != rows * columns) {
    Refuse(tensor.name + ": expected " + std::to_string(rows) + " x " + std::to_string(columns) + " elements, got " +
           std::to_string(elements));
  }
  if (begin > file->bytes() || bytes > file->bytes() - begin) {
    Refuse(tensor.name + ": ends at byte " + std::to_string(begin + bytes) + ", the file has " + std::to_string(file->bytes()));
  }
  tensor.data = file->data() + begin;
  tensor.owner = file;
  tensor.file = file.get();
  return tensor;
}

ModelSpec ReadSpec(const Napi::Object& object) {
  ModelSpec spec;
  spec.layers = GetInteger(object, "layers");
  spec.width = GetInteger(object, "width");
  spec.ffn_width = GetInteger(object, "ffnWidth");
  spec.query_heads = GetInteger(object, "queryHeads");
  spec.kv_heads = GetInteger(object, "kvHeads");
  spec.head_width = GetInteger(object, "headWidth");
  spec.vocabulary = GetInteger(object, "vocabulary");
  spec.norm_eps = GetFloat(object, "normEps");
  spec.rotary_scale = GetFloat(object, "rotaryScale");
  spec.inverse_frequencies = Copy<float>(GetArray<Napi::Float32Array>(Get(object, "inverseFrequencies"), napi_float32_array, "inverseFrequencies"));
  spec.windows = Copy<int32_t>(GetArray<Napi::Int32Array>(Get(object, "windows"), napi_int32_array, "windows"));
  constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();
  for (const int64_t size : {spec.layers, spec.width, spec.ffn_width, spec.query_heads, spec.kv_heads, spec.vocabulary}) {
    if (size < 1 || size > kMaxSize) Refuse("spec: expected sizes of at least 1");
  }
  if (spec.head_width < 2 || spec.head_width > kMaxSize || spec.head_width % 2 || spec.query_heads % spec.kv_heads) {
    Refuse("spec: expected an even head width and a whole number of query heads for each key/value head");
  }
  if (static_cast<int64_t>(spec.inverse_frequencies.size()) != spec.head_width / 2) Refuse("inverseFrequencies: expected E / 2 values");
  if (static_cast<int64_t>(spec.windows.size()) != spec.layers) Refuse("windows: expected a value for each layer");
  return spec;
}

LayerWeights ReadLayer(const Napi::Object& o, const ModelSpec& s) {
  const int64_t d = s.width, f = s.ffn_width, q = s.query_width(), kv = s.kv_width(), e = s.head_width;
  return {.input_norm = ReadWeight(o, "inputNorm", d, 1),
          .query = ReadWeight(o, "query", q, d),
          .key = ReadWeight(o, "key", kv, d),
          .value = ReadWeight(o, "value", kv, d),
          .output = ReadWeight(o, "output", d, q),
          .query_bias = ReadWeight(o, "queryBias", q, 1, true),
          .key_bias = ReadWeight(o, "keyBias", kv, 1, true),
          .value_bias = ReadWeight(o, "valueBias", kv, 1, true),
          .output_bias = ReadWeight(o, "outputBias", d, 1, true),
          .query_norm = ReadWeight(o, "queryNorm", e, 1, true),
          .key_norm = ReadWeight(o, "keyNorm", e, 1, true),
          .ffn_norm = ReadWeight(o, "ffnNorm", d, 1),
          .gate = ReadWeight(o, "gate", f, d),
          .up = ReadWeight(o, "up", f, d),
          .down = ReadWeight(o, "down", d, f),
          .gate_bias = ReadWeight(o, "gateBias", f, 1, true),
          .up_bias = ReadWeight(o, "upBias", f, 1, true),
          .down_bias = ReadWeight(o, "downBias", d, 1, true)};
}

std::vector<uint32_t> AllIndices(int64_t count) {
  std::vector<uint32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

WritePiece ReadPiece(const Napi::Object& object) {
  WritePiece piece{.file = MappedFileObject::From(Get(object, "file")),
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
  const Napi::Value rows = Get(object, "keepRows"), columns = Get(object, "keepColumns");
  if (Present(rows)) piece.keep_rows = ReadIndices(rows, piece.rows, "keepRows");
  if (Present(columns)) piece.keep_columns = ReadIndices(columns, piece.columns, "keepColumns");
  return piece;
}

}  // namespace

int64_t GetInteger(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0) || number > 9007199254740991.0 || number != static_cast<double>(static_cast<int64_t>(number))) {
    Refuse(std::string(name) + ": expected an integer of at least 0");
  }
  return static_cast<int64_t>(number);
}

std::string GetString(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  if (!value.IsString()) Refuse(std::string(name) + ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}

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

Napi::Value WrapModel(Napi::Env env, ModelPointer model) {
  return Napi::External<ModelPointer>::New(env, new ModelPointer(std::move(model)), [](Napi::Env, ModelPointer* owned) { delete owned; });
}

ModelPointer ReadModel(const Napi::Value& value) {
  if (!value.IsExternal()) Refuse("model: expected an opened model");
  ModelPointer model = *value.As<Napi::External<ModelPointer>>().Data();
  if (!model) Refuse("model: expected an opened model, got one that was closed");
  return model;
}

void CloseModel(const Napi::Value& value) {
  if (value.IsExternal()) value.As<Napi::External<ModelPointer>>().Data()->reset();
}

ModelPointer ReadNewModel(const Napi::Object& object) {
  ModelSpec spec = ReadSpec(GetObject(object, "spec"));
  const Napi::Array list = ReadList(object, "layers");
  if (list.Length() != spec.layers) Refuse("layers: expected " + std::to_string(spec.layers));
  std::vector<LayerWeights> layers;
  for (uint32_t i = 0; i < list.Length(); ++i) layers.push_back(ReadLayer(list.Get(i).As<Napi::Object>(), spec));
  const std::string compute = GetString(object, "compute");
  if (compute != "f32" && compute != "bf16") Refuse("compute: expected f32 or bf16, got " + compute);
  const int64_t vocabulary = spec.vocabulary, width = spec.width;
  auto model = std::make_shared<OpenedModel>(std::move(spec), ReadWeight(object, "embedding", vocabulary, width),
                                             ReadWeight(object, "finalNorm", width, 1), ReadWeight(object, "head", vocabulary, width),
                                             std::move(layers), compute == "bf16" ? Compute::kBF16 : Compute::kF32);
  if (const Napi::Value device = Get(object, "device"); Present(device)) {
    model->device = ReadDevice(device);
    model->UseEngine(std::make_unique<DeviceEngine>(model->device->device, *model));
  }
  return model;
}

Napi::Value WrapDevice(Napi::Env env, DevicePointer device) {
  return Napi::External<DevicePointer>::New(env, new DevicePointer(std::move(device)), [](Napi::Env, DevicePointer* owned) { delete owned; });
}

DevicePointer ReadDevice(const Napi::Value& value) {
  if (!value.IsExternal()) Refuse("device: expected an opened device");
  DevicePointer device = *value.As<Napi::External<DevicePointer>>().Data();
  if (!device) Refuse("device: expected an opened device, got one that was closed");
  return device;
}

void CloseDevice(const Napi::Value& value) {
  if (value.IsExternal()) value.As<Napi::External<DevicePointer>>().Data()->reset();
}

ModelView ReadView(const Napi::Value& value, const Model& model) {
  ModelView view;
  const Napi::Env env = value.Env();
  const Napi::Object object = value.IsObject() ? value.As<Napi::Object>() : Napi::Object::New(env);
  const Napi::Value layers = Get(object, "layers"), neurons = Get(object, "neurons"), tokens = Get(object, "tokens");
  view.layers = Present(layers) ? ReadIndices(layers, model.spec.layers, "layers") : AllIndices(model.spec.layers);
  view.tokens = Present(tokens) ? ReadIndices(tokens, model.spec.vocabulary, "tokens") : AllIndices(model.spec.vocabulary);
  if (view.layers.empty() || view.tokens.empty()) Refuse("view: expected at least one layer and one token");
  if (Present(neurons)) {
    const Napi::Array lists = ReadList(object, "neurons");
    if (lists.Length() != view.layers.size()) Refuse("neurons: expected a list for each layer of the view");
    for (uint32_t i = 0; i < lists.Length(); ++i) view.neurons.push_back(ReadIndices(lists.Get(i), model.spec.ffn_width, "neurons"));
  }
  return view;
}

OwnedTexts ReadTexts(const Napi::Value& value, const Model& model) {
  if (!value.IsObject()) Refuse("texts: expected an object");
  const Napi::Object object = value.As<Napi::Object>();
  OwnedTexts texts{Copy<int32_t>(GetArray<Napi::Int32Array>(Get(object, "ids"), napi_int32_array, "ids")),
                   Copy<int32_t>(GetArray<Napi::Int32Array>(Get(object, "offsets"), napi_int32_array, "offsets"))};
  if (texts.offsets.size() < 2 || texts.offsets.front() != 0 || texts.offsets.back() != static_cast<int64_t>(texts.ids.size())) {
    Refuse("offsets: expected at least one text, from 0 to the number of ids");
  }
  for (size_t i = 1; i < texts.offsets.size(); ++i) {
    if (texts.offsets[i] <= texts.offsets[i - 1]) Refuse("offsets: expected ascending offsets without empty texts");
  }
  for (const int32_t id : texts.ids) {
    if (id < 0 || id >= model.spec.vocabulary) {
      Refuse("ids: expected ids below " + std::to_string(model.spec.vocabulary) + ", got " + std::to_string(id));
    }
  }
  return texts;
}

PositionKind ReadPositions(const Napi::Value& value) {
  const std::string name = value.ToString().Utf8Value();
  if (name != "last" && name != "all") Refuse("positions: expected last or all, got " + name);
  return name == "all" ? PositionKind::kAll : PositionKind::kLast;
}

NeuronMetric ReadMetric(const Napi::Value& value) {
  const std::string name = value.ToString().Utf8Value();
  if (name == "magnitude") return NeuronMetric::kMagnitude;
  if (name == "activation") return NeuronMetric::kActivation;
  if (name == "wanda") return NeuronMetric::kWanda;
  if (name == "fluctuation") return NeuronMetric::kFluctuation;
  Refuse("metric: expected magnitude, activation, wanda or fluctuation, got " + name);
}

std::vector<WriteFile> ReadWriteFiles(const Napi::Value& value) {
  if (!value.IsArray()) Refuse("files: expected an array");
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<WriteFile> files;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object object = list.Get(i).As<Napi::Object>();
    WriteFile file{.path = GetString(object, "path"), .header = {}, .pieces = {}};
    const auto header = GetArray<Napi::Uint8Array>(Get(object, "header"), napi_uint8_array, "header");
    const auto* bytes = reinterpret_cast<const std::byte*>(header.Data());
    file.header.assign(bytes, bytes + header.ByteLength());
    const Napi::Array pieces = ReadList(object, "pieces");
    for (uint32_t j = 0; j < pieces.Length(); ++j) file.pieces.push_back(ReadPiece(pieces.Get(j).As<Napi::Object>()));
    files.push_back(std::move(file));
  }
  return files;
}

Tensor ReadMatrix(const Napi::Value& value) {
  Tensor tensor;
  if (!Present(value)) return tensor;
  const Napi::Object object = value.As<Napi::Object>();
  tensor.dtype = ReadDtype(GetString(object, "dtype"));
  tensor.rows = GetInteger(object, "rows");
  tensor.columns = GetInteger(object, "columns");
  const std::span<std::byte> bytes = BytesOf(Get(object, "data"), "data");
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
  const Napi::Value value = Get(object, name);
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

bool ReadFlag(const Napi::Object& object, const char* name) { return Get(object, name).ToBoolean(); }

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
