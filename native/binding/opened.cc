#include "binding/opened.h"

#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "binding/mapped_file_object.h"
#include "binding/values.h"
#include "device/engine.h"

namespace flab::binding {
namespace {

// A weight with the shape that the model's numbers ask for.
Tensor ReadWeight(const Napi::Object& parent, const char* role, int64_t rows, int64_t columns, bool optional = false) {
  const Napi::Value value = parent.Get(role);
  if (optional && !Present(value)) return {};
  const Napi::Object object = GetObject(parent, role);
  Tensor tensor;
  const auto file = MappedFileObject::From(object.Get("file"));
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
  spec.inverse_frequencies = Copy<float>(GetArray<Napi::Float32Array>(object.Get("inverseFrequencies"), napi_float32_array, "inverseFrequencies"));
  spec.windows = Copy<int32_t>(GetArray<Napi::Int32Array>(object.Get("windows"), napi_int32_array, "windows"));
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

// What JavaScript holds of something opened: it is empty once that was closed.
template <typename Pointer>
Napi::Value Wrap(Napi::Env env, Pointer pointer) {
  return Napi::External<Pointer>::New(env, new Pointer(std::move(pointer)), [](Napi::Env, Pointer* owned) { delete owned; });
}

template <typename Pointer>
Pointer Unwrap(const Napi::Value& value, const std::string& name) {
  if (!value.IsExternal()) Refuse(name + ": expected an opened " + name);
  Pointer pointer = *value.As<Napi::External<Pointer>>().Data();
  if (!pointer) Refuse(name + ": expected an opened " + name + ", got one that was closed");
  return pointer;
}

}  // namespace

Napi::Value WrapModel(Napi::Env env, ModelPointer model) {
  return Wrap(env, std::move(model));
}

ModelPointer ReadModel(const Napi::Value& value) {
  return Unwrap<ModelPointer>(value, "model");
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
  if (const Napi::Value device = object.Get("device"); Present(device)) {
    model->device = ReadDevice(device);
    model->UseEngine(std::make_unique<DeviceEngine>(model->device->device, *model));
  }
  return model;
}

Napi::Value WrapDevice(Napi::Env env, DevicePointer device) {
  return Wrap(env, std::move(device));
}

DevicePointer ReadDevice(const Napi::Value& value) {
  return Unwrap<DevicePointer>(value, "device");
}

void CloseDevice(const Napi::Value& value) {
  if (value.IsExternal()) value.As<Napi::External<DevicePointer>>().Data()->reset();
}

ModelView ReadView(const Napi::Value& value, const Model& model) {
  ModelView view;
  const Napi::Env env = value.Env();
  const Napi::Object object = value.IsObject() ? value.As<Napi::Object>() : Napi::Object::New(env);
  const Napi::Value layers = object.Get("layers"), neurons = object.Get("neurons"), tokens = object.Get("tokens");
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
  OwnedTexts texts{Copy<int32_t>(GetArray<Napi::Int32Array>(object.Get("ids"), napi_int32_array, "ids")),
                   Copy<int32_t>(GetArray<Napi::Int32Array>(object.Get("offsets"), napi_int32_array, "offsets"))};
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

}  // namespace flab::binding
