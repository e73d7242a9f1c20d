// The calls that run a model: a job has the model to itself, and all the memory.

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "binding/calls.h"
#include "binding/jobs.h"
#include "binding/opened.h"
#include "binding/values.h"
#include "model/engine.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"
#include "prune/neuron_scores.h"

namespace flab::binding {
namespace {

// Runs an operation of a model. One for which a device's memory does not suffice after all is tried again, first without what an earlier one
// left there, then with less at a time.
template <typename Operation>
auto WithRoom(OpenedModel& model, Operation&& operation) {
  for (bool held = model.walks.holds();; held = false) {
    try {
      return operation();
    } catch (const Error& error) {
      if (error.code != "ERR_DEVICE_MEMORY" || (!held && !model.engine().Shrink())) throw;
      model.walks = WalkStore();
    }
  }
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

}  // namespace

Napi::Value LeastMemory(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  auto model = ReadModel(input.Get("model"));
  const OwnedTexts texts = ReadTexts(input.Get("texts"), *model);
  const std::string operation = input.Get("operation").ToString();
  const int64_t candidates = input.Get("candidates").ToNumber().Int64Value();
  Demand demand{};
  if (operation == "scoreLayers") {
    demand = ScoreLayersDemand(*model, texts.texts(), candidates);
  } else if (operation == "measure" || operation == "rankNeurons") {
    demand = MeasureDemand(*model, texts.texts(), candidates);
  } else if (operation == "compare") {
    demand = CompareDemand(*model, texts.texts());
  } else {
    throw Error("ERR_BAD_ARGUMENT", "operation: expected scoreLayers, measure, rankNeurons or compare, got " + operation);
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result["host"] = Napi::Number::New(info.Env(), static_cast<double>(demand.host));
  result["device"] = Napi::Number::New(info.Env(), static_cast<double>(demand.device));
  result["deviceLeft"] = Napi::Number::New(info.Env(), static_cast<double>(demand.device_left));
  return result;
}

Napi::Value StartScoreLayers(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
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
    LayerScores scores = WithRoom(*model, [&] {
      return racing ? RaceLayers(job, *model, view, texts.texts(), options.positions) : ScoreLayers(job, *model, view, texts.texts(), options, &model->walks);
    });
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
  return StartJob(info.Env(), info[1], {}, std::move(work), {&model->mutex()});
}

Napi::Value StartMeasure(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  auto model = ReadModel(input.Get("model"));
  std::vector<ModelView> candidates;
  const Napi::Array list = ReadList(input, "candidates");
  for (uint32_t i = 0; i < list.Length(); ++i) candidates.push_back(ReadView(list.Get(i), *model));
  auto work = [model, candidates, reference = ReadView(input.Get("reference"), *model), texts = ReadTexts(input.Get("texts"), *model),
               positions = ReadPositions(input.Get("positions")), losses = ReadFlag(input, "losses")](Job& job) {
    HeadSums sums = WithRoom(*model, [&] { return Measure(job, *model, reference.tokens, candidates, texts.texts(), positions, losses); });
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
  return StartJob(info.Env(), info[1], {}, std::move(work), {&model->mutex()});
}

Napi::Value StartRankNeurons(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  auto model = ReadModel(input.Get("model"));
  std::vector<NeuronMetric> metrics;
  std::vector<std::string> names;
  const Napi::Array list = ReadList(input, "metrics");
  for (uint32_t i = 0; i < list.Length(); ++i) {
    metrics.push_back(ReadMetric(list.Get(i)));
    names.push_back(list.Get(i).ToString().Utf8Value());
  }
  auto work = [model, metrics, names, view = ReadView(input.Get("view"), *model), texts = ReadTexts(input.Get("texts"), *model)](Job& job) {
    return [names, scores = WithRoom(*model, [&] { return RankNeurons(job, *model, view, texts.texts(), metrics); })](Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      for (size_t i = 0; i < names.size(); ++i) result[names[i]] = FloatArray(env, scores[i]);
      return result;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work), {&model->mutex()});
}

Napi::Value StartLogits(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  auto model = ReadModel(input.Get("model"));
  auto work = [model, view = ReadView(input.Get("view"), *model), texts = ReadTexts(input.Get("texts"), *model),
               positions = ReadPositions(input.Get("positions"))](Job& job) {
    auto logits = std::make_shared<Buffer<float>>(WithRoom(*model, [&] { return Logits(job, *model, view, texts.texts(), positions); }));
    return [logits](Napi::Env env) -> Napi::Value {
      auto array = Napi::Float32Array::New(env, logits->size());
      std::copy_n(logits->data(), logits->size(), array.Data());
      return array;
    };
  };
  return StartJob(info.Env(), info[1], {}, std::move(work), {&model->mutex()});
}

Napi::Value StartCompare(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  Side a = ReadSide(input, "a"), b = ReadSide(input, "b");
  if (a.view.tokens.size() != b.view.tokens.size()) throw Error("ERR_BAD_ARGUMENT", "compare: expected as many logits in a and b");
  if (a.texts.offsets != b.texts.offsets) throw Error("ERR_BAD_ARGUMENT", "compare: expected texts of the same lengths");
  std::set locks{&a.model->mutex(), &b.model->mutex()};
  auto work = [a = std::move(a), b = std::move(b)](Job& job) {
    const Comparison c = WithRoom(*a.model, [&] { return Compare(job, {*a.model, a.view, a.texts.texts()}, {*b.model, b.view, b.texts.texts()}); });
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
  return StartJob(info.Env(), info[1], {}, std::move(work), std::move(locks));
}

}  // namespace flab::binding
