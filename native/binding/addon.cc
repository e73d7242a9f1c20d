// The addon's surface, call by call as in ts/native/contract.ts: read the input, start a job, hand back the answer.

#include <napi.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <thread>
#include <type_traits>

#include "base/cgroup.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "binding/jobs.h"
#include "binding/values.h"
#include "cpu/divergence.h"
#include "cpu/slice.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"
#include "prune/neuron_scores.h"

namespace flab::binding {
namespace {

// Core errors of the input's readers become JavaScript exceptions.
template <Napi::Value (*kCall)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return kCall(info);
  } catch (const Error& error) {
    throw ToJsError(info.Env(), error);
  } catch (const std::bad_alloc&) {
    throw ToJsError(info.Env(), Error("ERR_MEMORY", "could not allocate memory"));
  }
}

// A model is used by one job at a time; one that waits can be cancelled.
std::unique_lock<std::mutex> Lock(const Job& job, OpenedModel& model) {
  std::unique_lock lock(model.mutex, std::try_to_lock);
  while (!lock.owns_lock()) {
    job.CheckCancelled();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    (void)lock.try_lock();
  }
  return lock;
}

Napi::Object Input(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw Error("ERR_BAD_ARGUMENT", "input: expected an object");
  return info[0].As<Napi::Object>();
}

Napi::Value MapFile(const Napi::CallbackInfo& info) {
  return MappedFileObject::New(info.Env(), MappedFile::Open(info[0].ToString().Utf8Value()));
}

Napi::Value OpenModel(const Napi::CallbackInfo& info) { return WrapModel(info.Env(), ReadNewModel(Input(info))); }

Napi::Value LimitThreads(const Napi::CallbackInfo& info) {
  ThreadPool::Limit(std::max(0, info[0].ToNumber().Int32Value()));
  return info.Env().Undefined();
}

Napi::Value LimitMemoryBytes(const Napi::CallbackInfo& info) {
  LimitMemory(std::max<int64_t>(0, info[0].ToNumber().Int64Value()));
  return info.Env().Undefined();
}

Napi::Value Resources(const Napi::CallbackInfo& info) {
  const Cgroup cgroup = ReadCgroup();
  Napi::Object result = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, int64_t number) { result[name] = Napi::Number::New(info.Env(), static_cast<double>(number)); };
  set("affinityThreads", AffinityThreads());
  set("threads", AllowedThreads());
  set("availableBytes", AvailableMemory());
  set("residentBytes", ResidentBytes());
  if (cgroup.threads > 0) set("cgroupThreads", cgroup.threads);
  if (cgroup.memory_limit > 0) set("cgroupBytes", cgroup.memory_limit);
  return result;
}

Napi::Value ReturnFreeMemoryNow(const Napi::CallbackInfo& info) {
  ReturnFreeMemory();
  return info.Env().Undefined();
}

Napi::Value LeastMemory(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  auto model = ReadModel(input.Get("model"));
  const OwnedTexts texts = ReadTexts(input.Get("texts"), *model);
  const std::string operation = input.Get("operation").ToString();
  const int64_t candidates = input.Get("candidates").ToNumber().Int64Value();
  int64_t bytes = 0;
  if (operation == "scoreLayers") {
    bytes = LeastScoreLayersBytes(*model, texts.texts(), candidates);
  } else if (operation == "measure" || operation == "rankNeurons") {
    bytes = LeastMeasureBytes(*model, texts.texts(), candidates);
  } else if (operation == "compare") {
    bytes = LeastCompareBytes(*model, texts.texts());
  } else {
    throw Error("ERR_BAD_ARGUMENT", "operation: expected scoreLayers, measure, rankNeurons or compare, got " + operation);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

Napi::Value StartScoreLayers(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  auto model = ReadModel(input.Get("model"));
  const LayerScoresOptions options{.positions = ReadPositions(input.Get("positions")),
                                   .candidates = ReadFlag(input, "candidates"),
                                   .losses = ReadFlag(input, "losses"),
                                   .keep = ReadFlag(input, "keep")};
  const bool racing = ReadFlag(input, "racing");
  if (racing && (!options.candidates || options.losses)) throw Error("ERR_BAD_ARGUMENT", "racing: expected candidates and no losses");
  ModelView view = ReadView(input.Get("view"), *model);
  if (!view.neurons.empty()) throw Error("ERR_BAD_ARGUMENT", "view: expected no neurons, layers are scored with all of them");
  auto work = [model, options, racing, view = std::move(view), texts = ReadTexts(input.Get("texts"), *model)](Job& job) {
    const auto lock = Lock(job, *model);
    LayerScores scores = racing ? RaceLayers(job, *model, view, texts.texts(), options.positions)
                                : ScoreLayers(job, *model, view, texts.texts(), options, &model->walks);
    if (!options.keep) model->walks = WalkStore();
    return [scores = std::move(scores)](Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      result["divergence"] = FloatArray(env, scores.divergence);
      result["loss"] = FloatArray(env, scores.loss);
      result["blockInfluence"] = FloatArray(env, scores.block_influence);
      result["blockInfluenceLast"] = FloatArray(env, scores.block_influence_last);
      result["angular"] = FloatArray(env, scores.angular);
      result["texts"] = IndexArray(env, scores.texts);
      result["survivors"] = IndexArray(env, scores.survivors);
      result["tokenLayers"] = Napi::Number::New(env, scores.token_layers);
      result["tokenLayersGreedy"] = Napi::Number::New(env, scores.token_layers_full);
      return result;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

Napi::Value StartMeasure(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  auto model = ReadModel(input.Get("model"));
  std::vector<ModelView> candidates;
  const Napi::Array list = ReadList(input, "candidates");
  for (uint32_t i = 0; i < list.Length(); ++i) candidates.push_back(ReadView(list.Get(i), *model));
  auto work = [model, candidates, reference = ReadView(input.Get("reference"), *model), texts = ReadTexts(input.Get("texts"), *model),
               positions = ReadPositions(input.Get("positions")), losses = ReadFlag(input, "losses")](Job& job) {
    const auto lock = Lock(job, *model);
    HeadSums sums = Measure(job, *model, reference.tokens, candidates, texts.texts(), positions, losses);
    for (double& divergence : sums.divergence) divergence /= static_cast<double>(sums.positions);
    return [sums = std::move(sums), losses](Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      result["divergence"] = FloatArray(env, sums.divergence);
      result["loss"] = FloatArray(env, losses ? sums.loss : std::vector<double>());
      result["referenceLoss"] = Napi::Number::New(env, losses ? sums.reference_loss : NAN);
      result["positions"] = Napi::Number::New(env, sums.positions);
      result["lossTokens"] = Napi::Number::New(env, sums.loss_tokens);
      return result;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

Napi::Value StartRankNeurons(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  auto model = ReadModel(input.Get("model"));
  std::vector<NeuronMetric> metrics;
  std::vector<std::string> names;
  const Napi::Array list = ReadList(input, "metrics");
  for (uint32_t i = 0; i < list.Length(); ++i) {
    metrics.push_back(ReadMetric(list.Get(i)));
    names.push_back(list.Get(i).ToString().Utf8Value());
  }
  auto work = [model, metrics, names, view = ReadView(input.Get("view"), *model), texts = ReadTexts(input.Get("texts"), *model)](Job& job) {
    const auto lock = Lock(job, *model);
    return [names, scores = RankNeurons(job, *model, view, texts.texts(), metrics)](Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      for (size_t i = 0; i < names.size(); ++i) result[names[i]] = FloatArray(env, scores[i]);
      return result;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

Napi::Value StartLogits(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  auto model = ReadModel(input.Get("model"));
  auto work = [model, view = ReadView(input.Get("view"), *model), texts = ReadTexts(input.Get("texts"), *model),
               positions = ReadPositions(input.Get("positions"))](Job& job) {
    const auto lock = Lock(job, *model);
    auto logits = std::make_shared<Buffer<float>>(Logits(job, *model, view, texts.texts(), positions));
    return [logits](Napi::Env env) -> Napi::Value {
      auto array = Napi::Float32Array::New(env, logits->size());
      std::copy_n(logits->data(), logits->size(), array.Data());
      return array;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

struct Side {
  ModelPointer model;
  ModelView view;
  OwnedTexts texts;
};

Side ReadSide(const Napi::Object& input, const char* name) {
  const Napi::Object object = input.Get(name).ToObject();
  auto model = ReadModel(object.Get("model"));
  return {model, ReadView(object.Get("view"), *model), ReadTexts(object.Get("texts"), *model)};
}

Napi::Value StartCompare(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  Side a = ReadSide(input, "a"), b = ReadSide(input, "b");
  if (a.view.tokens.size() != b.view.tokens.size()) throw Error("ERR_BAD_ARGUMENT", "compare: expected as many logits in a and b");
  if (a.texts.offsets != b.texts.offsets) throw Error("ERR_BAD_ARGUMENT", "compare: expected texts of the same lengths");
  auto work = [a = std::move(a), b = std::move(b)](Job& job) {
    // In one order for everybody, or two comparisons could wait for each other.
    const auto [first, second] = std::minmax({a.model.get(), b.model.get()});
    const auto lock = Lock(job, *first);
    const auto other = first == second ? std::unique_lock<std::mutex>() : Lock(job, *second);
    const Comparison c = Compare(job, {*a.model, a.view, a.texts.texts()}, {*b.model, b.view, b.texts.texts()});
    return [c](Napi::Env env) -> Napi::Value {
      const double relative = std::sqrt(c.squared_difference / (c.squared_logit > 0 ? c.squared_logit : 1));
      Napi::Object result = Napi::Object::New(env);
      result["maxDifference"] = Napi::Number::New(env, c.finite ? c.max_difference : NAN);
      result["maxLogit"] = Napi::Number::New(env, c.max_logit);
      result["relativeError"] = Napi::Number::New(env, c.finite ? relative : NAN);
      result["positions"] = Napi::Number::New(env, c.positions);
      result["sameTop"] = Napi::Number::New(env, c.same_top);
      return result;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

Napi::Value StartWriteFiles(const Napi::CallbackInfo& info) {
  auto work = [files = ReadWriteFiles(info[0])](Job& job) {
    const int64_t bytes = WriteFiles(job, files);
    return [bytes](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, bytes); };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work));
}

Answer Nothing() {
  return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
}

// A result goes into the caller's memory and must not touch what is read.
void RefuseOverlap(std::span<const std::byte> out, std::span<const std::byte> data, const char* name) {
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
    if (given_) return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
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

struct SliceInput {
  std::span<std::byte> data, out;
  int64_t rows, columns, item_bytes;
  std::vector<uint32_t> keep;
};

SliceInput ReadSlice(const Napi::CallbackInfo& info, bool by_rows) {
  SliceInput input{.data = BytesOf(info[0], "data"),
                   .out = BytesOf(info[4], "out"),
                   .rows = info[1].ToNumber().Int64Value(),
                   .columns = info[2].ToNumber().Int64Value(),
                   .item_bytes = info[5].IsNumber() ? info[5].ToNumber().Int64Value() : static_cast<int64_t>(info[0].As<Napi::TypedArray>().ElementSize()),
                   .keep = {}};
  if (input.item_bytes < 1) throw Error("ERR_BAD_ARGUMENT", "itemBytes: expected at least 1");
  input.keep = ReadIndices(info[3], by_rows ? input.rows : input.columns, "keep");
  const int64_t kept = Product({static_cast<int64_t>(input.keep.size()), by_rows ? input.columns : input.rows, input.item_bytes}, "out");
  if (static_cast<int64_t>(input.data.size()) != Product({input.rows, input.columns, input.item_bytes}, "data")) {
    throw Error("ERR_BAD_ARGUMENT", "data: expected rows x columns elements");
  }
  if (static_cast<int64_t>(input.out.size()) != kept) throw Error("ERR_BAD_ARGUMENT", "out: expected as many elements as are kept");
  RefuseOverlap(input.out, input.data, "data");
  return input;
}

Napi::Value StartSliceRows(const Napi::CallbackInfo& info) {
  auto work = [input = ReadSlice(info, true)](Job& job) {
    SliceRows(job, input.data.data(), input.columns * input.item_bytes, input.keep, input.out.data());
    return Nothing();
  };
  return StartJob(info.Env(), info.Env().Undefined(), {info[0].As<Napi::Object>(), info[4].As<Napi::Object>()}, std::move(work));
}

Napi::Value StartSliceColumns(const Napi::CallbackInfo& info) {
  auto work = [input = ReadSlice(info, false)](Job& job) {
    SliceColumns(job, input.data.data(), input.rows, input.columns, input.item_bytes, input.keep, input.out.data());
    return Nothing();
  };
  return StartJob(info.Env(), info.Env().Undefined(), {info[0].As<Napi::Object>(), info[4].As<Napi::Object>()}, std::move(work));
}

// A matrix's memory, to be kept while a job reads it: its object could be given another array meanwhile.
void KeepData(const Napi::Value& matrix, std::vector<Napi::Object>& kept) {
  if (matrix.IsObject()) kept.push_back(matrix.As<Napi::Object>().Get("data").As<Napi::Object>());
}

void KeepOut(const Napi::Value& out, std::vector<Napi::Object>& kept) {
  if (out.IsObject()) kept.push_back(out.As<Napi::Object>());
}

std::span<const std::byte> Bytes(const Tensor& tensor) {
  return {tensor.data, static_cast<size_t>(tensor.rows * tensor.columns * ItemBytes(tensor.dtype))};
}

Napi::Value StartKlDivergence(const Napi::CallbackInfo& info) {
  const Tensor p = ReadMatrix(info[0]), q = ReadMatrix(info[1]);
  if (p.rows != q.rows || p.columns != q.columns) throw Error("ERR_BAD_ARGUMENT", "klDivergence: expected two matrices of the same shape");
  Result<double> result(info[2], napi_float64_array, p.rows);
  RefuseOverlap(result.bytes(), Bytes(p), "p");
  RefuseOverlap(result.bytes(), Bytes(q), "q");
  auto work = [p, q, result = std::move(result)](Job& job) mutable {
    double* divergences = result.Data();
    job.Parallel(p.rows, [&](int64_t row) { divergences[row] = RowDivergence(ActiveKernels(), p, q, row); });
    return result.ToAnswer();
  };
  std::vector<Napi::Object> kept;
  for (const size_t i : {0, 1}) KeepData(info[i], kept);
  KeepOut(info[2], kept);
  return StartJob(info.Env(), info.Env().Undefined(), std::move(kept), std::move(work));
}

// Every matrix that the metric needs, all of the same neurons.
void CheckNeurons(NeuronMetric metric, const Tensor& activations, const Tensor& down, const Tensor& gate, const Tensor& up) {
  const bool magnitude = metric == NeuronMetric::kMagnitude;
  const bool fits = magnitude ? gate && up && down && gate.rows == up.rows && gate.rows == down.columns
                              : activations && (metric == NeuronMetric::kActivation || (down && down.columns == activations.columns));
  if (!fits) throw Error("ERR_BAD_ARGUMENT", "neuronScores: expected the matrices that the metric needs, with the same neurons");
}

Napi::Value StartNeuronScores(const Napi::CallbackInfo& info) {
  const Napi::Object input = Input(info);
  const NeuronMetric metric = ReadMetric(input.Get("metric"));
  const Tensor activations = ReadMatrix(input.Get("activations")), down = ReadMatrix(input.Get("down"));
  const Tensor gate = ReadMatrix(input.Get("gate")), up = ReadMatrix(input.Get("up"));
  CheckNeurons(metric, activations, down, gate, up);
  Result<double> result(info[1], napi_float64_array, metric == NeuronMetric::kMagnitude ? gate.rows : activations.columns);
  RefuseOverlap(result.bytes(), Bytes(activations), "activations");
  RefuseOverlap(result.bytes(), Bytes(down), "down");
  RefuseOverlap(result.bytes(), Bytes(gate), "gate");
  RefuseOverlap(result.bytes(), Bytes(up), "up");
  auto work = [=, result = std::move(result)](Job& job) mutable {
    std::vector<double> scores;
    if (metric == NeuronMetric::kMagnitude) {
      scores = ScoreByMagnitude(job, gate, up, down);
    } else {
      const std::vector<double> down_squares = down ? ColumnSquares(job, down) : std::vector<double>(activations.columns);
      scores = ScoreByActivations(metric, SumActivations(job, activations), down_squares);
    }
    std::copy(scores.begin(), scores.end(), result.Data());
    return result.ToAnswer();
  };
  std::vector<Napi::Object> kept;
  for (const char* name : {"activations", "down", "gate", "up"}) KeepData(input.Get(name), kept);
  KeepOut(info[1], kept);
  return StartJob(info.Env(), info.Env().Undefined(), std::move(kept), std::move(work));
}

Napi::Value StartTopK(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray()) throw Error("ERR_BAD_ARGUMENT", "scores: expected floats");
  const auto scores = info[0].As<Napi::TypedArray>();
  const int64_t rows = info[1].ToNumber().Int64Value(), columns = info[2].ToNumber().Int64Value();
  const int64_t count = info[3].ToNumber().Int64Value();
  const bool wide = scores.TypedArrayType() == napi_float64_array;
  if (!wide && scores.TypedArrayType() != napi_float32_array) throw Error("ERR_BAD_ARGUMENT", "scores: expected floats");
  if (static_cast<int64_t>(scores.ElementLength()) != Product({rows, columns}, "scores")) {
    throw Error("ERR_BAD_ARGUMENT", "scores: expected rows x columns elements");
  }
  if (count < 0 || count > columns) throw Error("ERR_BAD_ARGUMENT", "count: expected 0 to " + std::to_string(columns));
  const std::byte* data = BytesOf(scores, "scores").data();
  Result<uint32_t> result(info[4], napi_uint32_array, Product({rows, count}, "out"));
  RefuseOverlap(result.bytes(), BytesOf(scores, "scores"), "scores");
  auto work = [=, result = std::move(result)](Job& job) mutable {
    uint32_t* indices = result.Data();
    job.Parallel(rows, [&](int64_t row) {
      std::vector<double> values(columns);
      for (int64_t i = 0; i < columns; ++i) {
        values[i] = wide ? reinterpret_cast<const double*>(data)[row * columns + i]
                         : static_cast<double>(reinterpret_cast<const float*>(data)[row * columns + i]);
        if (std::isnan(values[i])) throw Error("ERR_BAD_ARGUMENT", "scores: expected numbers, got NaN in row " + std::to_string(row));
      }
      TopK(values.data(), columns, count, indices + row * count);
    });
    return result.ToAnswer();
  };
  std::vector<Napi::Object> kept{info[0].As<Napi::Object>()};
  KeepOut(info[4], kept);
  return StartJob(info.Env(), info.Env().Undefined(), std::move(kept), std::move(work));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(MappedFileObject::Define(env))));
  try {
    exports["cpu"] = Napi::String::New(env, ActiveKernels().name);
  } catch (const Error& error) {
    throw ToJsError(env, error);
  }
  exports["version"] = Napi::String::New(env, FLAB_VERSION);
  exports["threads"] = Napi::Number::New(env, ThreadPool::Process().threads());
  const auto define = [&](const char* name, auto* call) { exports[name] = Napi::Function::New(env, call, name); };
  define("mapFile", Guarded<MapFile>);
  define("openModel", Guarded<OpenModel>);
  define("limitThreads", Guarded<LimitThreads>);
  define("limitMemory", Guarded<LimitMemoryBytes>);
  define("resources", Guarded<Resources>);
  define("returnFreeMemory", Guarded<ReturnFreeMemoryNow>);
  define("leastMemory", Guarded<LeastMemory>);
  define("scoreLayers", Guarded<StartScoreLayers>);
  define("measure", Guarded<StartMeasure>);
  define("rankNeurons", Guarded<StartRankNeurons>);
  define("compare", Guarded<StartCompare>);
  define("logits", Guarded<StartLogits>);
  define("writeFiles", Guarded<StartWriteFiles>);
  define("sliceRows", Guarded<StartSliceRows>);
  define("sliceColumns", Guarded<StartSliceColumns>);
  define("klDivergence", Guarded<StartKlDivergence>);
  define("neuronScores", Guarded<StartNeuronScores>);
  define("topK", Guarded<StartTopK>);
  return exports;
}

}  // namespace
}  // namespace flab::binding

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return flab::binding::Init(env, exports); }
NODE_API_MODULE(flab_pruner, InitAddon)
