// Whole models with random weights: KL through the LM head, forward passes, sweeps of the layer search.

#include <memory>

#include "bench/bench.h"
#include "bench/random_model.h"
#include "model/decoder.h"
#include "model/head.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"
#include "prune/neuron_scores.h"

namespace flab::bench {
namespace {

constexpr Shape kShapes[] = {{"smol-135m", 576, 30, 9, 3, 1536, 49152}, {"codeqwen-mini", 1024, 8, 8, 1, 3328, 92416}};

void AddHeads(std::vector<Case>& cases) {
  constexpr Shape kHeads[] = {{"", 576, 0, 9, 3, 32, 49152}, {"", 1024, 0, 8, 1, 32, 92416}};
  constexpr int64_t kTokens = 256, kCandidates = 8;
  for (const Shape& shape : kHeads) {
    cases.push_back({.name = "kl-head/bf16/" + std::to_string(shape.width) + "x" + std::to_string(shape.vocabulary) + "/256 tokens/8 candidates",
                     .limit = Limit::kBF16,
                     .flops = 2.0 * (kCandidates + 1) * kTokens * shape.width * shape.vocabulary,
                     .prepare = [=]() -> std::function<void()> {
                       auto model = MakeModel(shape, Compute::kBF16, LayerMemory::kNone);
                       auto hidden = std::make_shared<std::vector<float>>(kTokens * (1 + kCandidates) * shape.width);
                       for (size_t i = 0; i < hidden->size(); ++i) {
                         const size_t token = i / (shape.width * (1 + kCandidates));
                         (*hidden)[i] = 1.7f * Noise(token * shape.width + i % shape.width) + 0.17f * Noise(~i);
                       }
                       auto view = std::make_shared<ModelView>(Whole(*model));
                       auto positions = std::make_shared<std::vector<Position>>();
                       for (int64_t i = 0; i < kTokens; ++i) positions->push_back({i, true, -1});
                       return [=] {
                         HeadSums sums(kCandidates);
                         AddHead(Job(), *model, view->tokens, *positions, hidden->data(), sums);
                       };
                     }});
  }
}

void AddForwards(std::vector<Case>& cases) {
  constexpr int64_t kTexts = 8, kLength = 512;
  for (const Shape& shape : kShapes) {
    for (const auto kind : {PositionKind::kAll, PositionKind::kLast}) {
      cases.push_back({.name = std::string("forward/bf16/") + shape.name + "/8x512/" + (kind == PositionKind::kAll ? "all" : "last") + " logits",
                       .limit = Limit::kBF16,
                       .flops = ForwardFlops(shape, kTexts, kLength, kind == PositionKind::kAll ? kLength : 1),
                       .tokens = 1.0 * kTexts * kLength,
                       .prepare = [=, shape = shape]() -> std::function<void()> {
                         auto model = MakeModel(shape, Compute::kBF16);
                         auto texts = std::make_shared<SomeTexts>(kTexts, kLength, shape.vocabulary);
                         auto view = std::make_shared<ModelView>(Whole(*model));
                         return [=] {
                           Job job;
                           Logits(job, *model, *view, texts->texts(), kind);
                         };
                       }});
    }
    // What the next one is compared with: all layers for all tokens, and no logits.
    cases.push_back({.name = std::string("forward/bf16/") + shape.name + "/8x512/states",
                     .limit = Limit::kBF16,
                     .flops = ForwardFlops(shape, kTexts, kLength, 0),
                     .tokens = 1.0 * kTexts * kLength,
                     .prepare = [=, shape = shape]() -> std::function<void()> {
                       auto model = MakeModel(shape, Compute::kBF16);
                       auto texts = std::make_shared<SomeTexts>(kTexts, kLength, shape.vocabulary);
                       return [=] {
                         Job job;
                         Decoder decoder(job, *model, texts->texts());
                         Buffer<float> x(kTexts * kLength * shape.width);
                         decoder.Embed(x.data());
                         for (int64_t i = 0; i < shape.layers; ++i) decoder.RunLayer(i, x.data(), 1);
                       };
                     }});
    cases.push_back({.name = std::string("neurons-in-forward/bf16/") + shape.name + "/8x512",
                     .tokens = 1.0 * kTexts * kLength,
                     .prepare = [=, shape = shape]() -> std::function<void()> {
                       auto model = MakeModel(shape, Compute::kBF16);
                       auto texts = std::make_shared<SomeTexts>(kTexts, kLength, shape.vocabulary);
                       auto view = std::make_shared<ModelView>(Whole(*model));
                       return [=] {
                         Job job;
                         RankNeurons(job, *model, *view, texts->texts(), {NeuronMetric::kWanda});
                       };
                     }});
  }
}

void AddSweeps(std::vector<Case>& cases) {
  constexpr int64_t kTexts = 64, kLength = 256;
  for (const Shape& shape : kShapes) {
    for (const auto kind : {PositionKind::kLast, PositionKind::kAll}) {
      cases.push_back({.name = std::string("sweep/bf16/") + shape.name + "/64x256/" + (kind == PositionKind::kAll ? "all" : "last") + " positions",
                       .limit = Limit::kBF16,
                       .flops = SweepFlops(shape, kTexts, kLength, kind == PositionKind::kAll ? kLength : 1),
                       .tokens = 1.0 * kTexts * kLength,
                       .prepare = [=, shape = shape]() -> std::function<void()> {
                         auto model = MakeModel(shape, Compute::kBF16);
                         auto texts = std::make_shared<SomeTexts>(kTexts, kLength, shape.vocabulary);
                         auto view = std::make_shared<ModelView>(Whole(*model));
                         return [=] {
                           Job job;
                           ScoreLayers(job, *model, *view, texts->texts(), {.positions = kind});
                         };
                       }});
    }
  }
}

}  // namespace

void AddModels(std::vector<Case>& cases) {
  AddHeads(cases);
  AddForwards(cases);
  AddSweeps(cases);
}

std::string ModelsAsJson() { return AsJson(kShapes); }

}  // namespace flab::bench
