// The decoder and everything that runs it, on a model in memory: what shares work must give what separate runs give, and
// what is masked must give what a smaller model gives. (That the decoder itself is right is tested against transformers.)

#include "prune/layer_scores.h"

#include <algorithm>
#include <cmath>

#include "base/testing.h"
#include "model/decoder.h"
#include "prune/measure.h"
#include "prune/neuron_scores.h"
#include "model/testing_model.h"

namespace flab {
namespace {

using testing::Random;
using namespace testing_model;

std::vector<float> LogitsOf(Model& model, const ModelView& view, const Texts& texts, PositionKind kind = PositionKind::kAll) {
  Job job;
  const Buffer<float> logits = Logits(job, model, view, texts, kind);
  return {logits.data(), logits.data() + logits.size()};
}

// log p of every column of a row of logits, in doubles.
std::vector<double> LogProbabilities(const float* logits, int64_t count) {
  const double max = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - max);
  std::vector<double> result(count);
  for (int64_t i = 0; i < count; ++i) result[i] = logits[i] - max - std::log(sum);
  return result;
}

double SlowDivergence(const float* l, const float* s, int64_t count) {
  const std::vector<double> p = LogProbabilities(l, count), q = LogProbabilities(s, count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(p[i]) * (std::expm1(q[i] - p[i]) - (q[i] - p[i]));
  return sum;
}

TEST("a text among others, and states that go through a layer together, have the same bits as alone") {
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    Tiny tiny = TheTiny();
    tiny.compute = compute;
    const auto model = tiny.Open();
    const SomeTexts all({3, 1, 40, 17});
    const std::vector<float> together = LogitsOf(*model, Whole(), all.texts());
    std::vector<float> alone;
    for (int i = 0; i < 4; ++i) {
      const std::vector<float> one = LogitsOf(*model, Whole(), {all.ids, std::span(all.offsets).subspan(i, 2)});
      alone.insert(alone.end(), one.begin(), one.end());
    }
    EXPECT(SameBits(together, alone));

    Job job;
    Decoder decoder(job, *model, all.texts());
    const int64_t size = decoder.tokens() * kSpec.width;
    Random random(3);
    std::vector<float> states = random.Normals(3 * size);
    std::vector<float> separate = states;
    decoder.RunLayer(1, states.data(), 3);
    for (int i = 0; i < 3; ++i) decoder.RunLayer(1, separate.data() + i * size, 1);
    EXPECT(SameBits(states, separate), "states");
  }
}

TEST("a view without some layers is the model that was saved without them") {
  const SomeTexts texts({9, 14});
  Tiny shorter = TheTiny();
  shorter.layers.erase(shorter.layers.begin() + 1);
  shorter.spec.layers = 3;
  shorter.spec.windows = {0, 0, 3};
  ModelView view = Whole();
  view.layers = {0, 2, 3};
  ModelView all = Whole();
  all.layers = {0, 1, 2};
  EXPECT(SameBits(LogitsOf(*TheTiny().Open(), view, texts.texts()), LogitsOf(*shorter.Open(), all, texts.texts())));
}

TEST("a view without some neurons is the model that was saved without them") {
  const SomeTexts texts({9, 14});
  const std::vector<uint32_t> keep = {0, 2, 3, 9, 10, 11, 20, 35};
  Tiny narrow = TheTiny();
  narrow.spec.ffn_width = static_cast<int64_t>(keep.size());
  for (LayerValues& layer : narrow.layers) {
    LayerValues cut = layer;
    cut.gate.clear(), cut.up.clear(), cut.down.clear();
    for (const uint32_t j : keep) {
      cut.gate.insert(cut.gate.end(), &layer.gate[j * kSpec.width], &layer.gate[j * kSpec.width] + kSpec.width);
      cut.up.insert(cut.up.end(), &layer.up[j * kSpec.width], &layer.up[j * kSpec.width] + kSpec.width);
    }
    for (int64_t row = 0; row < kSpec.width; ++row) {
      for (const uint32_t j : keep) cut.down.push_back(layer.down[row * kSpec.ffn_width + j]);
    }
    layer = cut;
  }
  ModelView view = Whole();
  view.neurons.assign(kSpec.layers, keep);
  EXPECT(SameBits(LogitsOf(*TheTiny().Open(), view, texts.texts()), LogitsOf(*narrow.Open(), Whole(), texts.texts())));
}

TEST("a view of some tokens has their columns of all logits") {
  const SomeTexts texts({6, 2});
  Random random(4);
  ModelView view = Whole();
  view.tokens = random.Indices(kSpec.vocabulary, 0.97);
  const auto model = TheTiny().Open();
  const std::vector<float> all = LogitsOf(*model, Whole(), texts.texts()), some = LogitsOf(*model, view, texts.texts());
  const int64_t columns = static_cast<int64_t>(view.tokens.size());
  CHECK(static_cast<int64_t>(some.size()) == 8 * columns);
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t i = 0; i < columns; ++i) EXPECT(some[row * columns + i] == all[row * kSpec.vocabulary + view.tokens[i]]);
  }
  const std::vector<float> last = LogitsOf(*model, view, texts.texts(), PositionKind::kLast);
  EXPECT(SameBits(last, {[&] {
                    std::vector<float> rows(some.begin() + 5 * columns, some.begin() + 6 * columns);
                    rows.insert(rows.end(), some.begin() + 7 * columns, some.end());
                    return rows;
                  }()}));
}

// Every layer of a view scored in one walk, against each candidate run on its own.
void TestWalk(const ModelView& view, PositionKind kind) {
  const SomeTexts some({12, 1, 30});
  const Texts texts = some.texts();
  const auto model = TheTiny().Open();
  std::vector<ModelView> candidates;
  for (size_t i = 0; i < view.layers.size(); ++i) {
    candidates.push_back(view);
    candidates.back().layers.erase(candidates.back().layers.begin() + static_cast<int64_t>(i));
  }
  int64_t done = 0, total = -1;
  Job job([&](int64_t d, int64_t t) { done = d, total = t; });
  const LayerScores scores = ScoreLayers(job, *model, view, texts, {kind, true, true});
  EXPECT(done == total && scores.token_layers == total, done, " of ", total, ", ", scores.token_layers, " token-layers");
  Job measuring([&](int64_t d, int64_t t) { done = d, total = t; });
  const HeadSums sums = Measure(measuring, *model, view.tokens, candidates, texts, kind, true);
  EXPECT(done == total);
  EXPECT(sums.positions == (kind == PositionKind::kLast ? texts.count() : texts.tokens()));
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double divergence = sums.divergence[i] / static_cast<double>(sums.positions), loss = sums.loss[i] / static_cast<double>(sums.loss_tokens);
    EXPECT(scores.divergence[i] == divergence, "without layer ", view.layers[i], ": ", scores.divergence[i], ", alone ", divergence);
    EXPECT(scores.loss[i] == loss, "loss without layer ", view.layers[i], ": ", scores.loss[i], ", alone ", loss);
  }
}

TEST("one walk scores the layers of a whole model as separate runs do") {
  TestWalk(Whole(), PositionKind::kAll);
  TestWalk(Whole(), PositionKind::kLast);
}

TEST("one walk scores the layers of a shortened model as separate runs do") {
  for (const std::vector<uint32_t>& layers : {std::vector<uint32_t>{0, 2, 3}, {1, 2, 3}, {0, 1, 2}, {1, 3}, {2}}) {
    ModelView view = Whole();
    view.layers = layers;
    Random random(5);
    view.tokens = random.Indices(kSpec.vocabulary, 0.6);
    TestWalk(view, PositionKind::kAll);
  }
}

TEST("divergences and losses are those of the logits in doubles") {
  const SomeTexts some({12, 1, 30});
  const Texts texts = some.texts();
  const auto model = TheTiny().Open();
  Random random(6);
  ModelView reference = Whole(), candidate = Whole();
  reference.tokens = candidate.tokens = random.Indices(kSpec.vocabulary, 0.98);
  candidate.layers = {0, 1, 3};
  candidate.neurons.assign(3, random.Indices(kSpec.ffn_width, 0.9));
  const int64_t columns = static_cast<int64_t>(reference.tokens.size());
  const std::vector<float> l = LogitsOf(*model, reference, texts), s = LogitsOf(*model, candidate, texts);
  Job job;
  const HeadSums sums = Measure(job, *model, reference.tokens, {candidate, reference}, texts, PositionKind::kAll, true);
  double divergence = 0, loss = 0, reference_loss = 0;
  int64_t loss_tokens = 0;
  const std::vector<int32_t> column_of = ColumnsOf(reference.tokens, kSpec.vocabulary);
  for (int64_t text = 0; text < texts.count(); ++text) {
    for (int64_t row = texts.offsets[text]; row < texts.offsets[text + 1]; ++row) {
      divergence += SlowDivergence(&l[row * columns], &s[row * columns], columns);
      if (row + 1 == texts.offsets[text + 1] || column_of[texts.ids[row + 1]] < 0) continue;
      ++loss_tokens;
      reference_loss -= LogProbabilities(&l[row * columns], columns)[column_of[texts.ids[row + 1]]];
      loss -= LogProbabilities(&s[row * columns], columns)[column_of[texts.ids[row + 1]]];
    }
  }
  EXPECT(sums.loss_tokens == loss_tokens && loss_tokens > 0 && loss_tokens < 40, sums.loss_tokens, ", expected ", loss_tokens);
  EXPECT(testing::Near(sums.divergence[0], divergence, 1e-6 * divergence), sums.divergence[0], ", expected ", divergence);
  EXPECT(sums.divergence[1] == 0, "the reference against itself: ", sums.divergence[1]);
  EXPECT(testing::Near(sums.loss[0], loss, 1e-6 * loss), sums.loss[0], ", expected ", loss);
  EXPECT(testing::Near(sums.reference_loss, reference_loss, 1e-6 * reference_loss), sums.reference_loss, ", expected ", reference_loss);
  EXPECT(sums.loss[1] == sums.reference_loss);
}

TEST("block influence and angles are those of the layers' inputs") {
  const SomeTexts some({8, 5});
  const Texts texts = some.texts();
  const auto model = TheTiny().Open();
  Job job;
  const LayerScores scores = ScoreLayers(job, *model, Whole(), texts, {PositionKind::kLast, false, false});
  EXPECT(scores.divergence.empty() && scores.loss.empty());
  Decoder decoder(job, *model, texts);
  std::vector<std::vector<float>> states(1, std::vector<float>(decoder.tokens() * kSpec.width));
  decoder.Embed(states[0].data());
  for (int64_t i = 0; i < kSpec.layers; ++i) {
    states.push_back(states.back());
    decoder.RunLayer(i, states.back().data(), 1);
  }
  const auto cosine = [&](int64_t a, int64_t b, int64_t row) {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = row * kSpec.width; i < (row + 1) * kSpec.width; ++i) {
      ab += static_cast<double>(states[a][i]) * states[b][i], aa += static_cast<double>(states[a][i]) * states[a][i],
          bb += static_cast<double>(states[b][i]) * states[b][i];
    }
    return ab / std::sqrt(aa * bb);
  };
  for (int64_t i = 0; i < kSpec.layers; ++i) {
    double all = 0;
    for (int64_t row = 0; row < 13; ++row) all += (1 - cosine(i, i + 1, row)) / 13;
    EXPECT(testing::Near(scores.block_influence[i], all, 1e-12));
    EXPECT(testing::Near(scores.block_influence_last[i], 1 - (cosine(i, i + 1, 7) + cosine(i, i + 1, 12)) / 2, 1e-12));
  }
  for (int64_t a = 0; a <= kSpec.layers; ++a) {
    for (int64_t b = 0; b <= kSpec.layers; ++b) {
      const double expected = a == b ? 0 : (std::acos(cosine(a, b, 7)) + std::acos(cosine(a, b, 12))) / 2 / M_PI;
      EXPECT(testing::Near(scores.angular[a * (kSpec.layers + 1) + b], expected, 1e-12), a, ", ", b);
    }
  }
}

TEST("neurons of every layer are ranked by the activations that the decoder computes") {
  const SomeTexts some({8, 25});
  const auto model = TheTiny().Open();
  int64_t done = 0, total = -1;
  Job job([&](int64_t d, int64_t t) { done = d, total = t; });
  const ModelView view{{0, 2}, {}, All(kSpec.vocabulary)};
  const auto ranks = RankNeurons(job, *model, view, some.texts(), {NeuronMetric::kMagnitude, NeuronMetric::kWanda});
  EXPECT(done == total && total == 2 * 33, done, " of ", total);
  Job silent;
  Decoder decoder(silent, *model, some.texts());
  std::vector<float> x(decoder.tokens() * kSpec.width);
  decoder.Embed(x.data());
  const size_t expected_size = static_cast<size_t>(2 * kSpec.ffn_width);
  CHECK(ranks.size() == 2 && ranks[0].size() == expected_size && ranks[1].size() == expected_size);
  for (const int64_t place : {0, 1}) {
    NeuronSums sums(kSpec.ffn_width);
    decoder.RunLayer(view.layers[place], x.data(), 1, {.sums = &sums});
    EXPECT(sums.tokens == 33);
    const LayerWeights& weights = model->layers[view.layers[place]];
    const auto wanda = ScoreByActivations(NeuronMetric::kWanda, sums, ColumnSquares(silent, weights.down));
    const auto magnitude = ScoreByMagnitude(silent, weights.gate, weights.up, weights.down);
    for (int64_t j = 0; j < kSpec.ffn_width; ++j) {
      EXPECT(ranks[0][place * kSpec.ffn_width + j] == magnitude[j] && ranks[1][place * kSpec.ffn_width + j] == wanda[j]);
    }
  }
}

TEST("a model compared with itself differs nowhere, with a shorter one it does, and NaN is noticed") {
  const SomeTexts some({8, 25});
  const Texts texts = some.texts();
  const auto model = TheTiny().Open(), other = TheTiny().Open();
  const ModelView whole = Whole();
  Job job;
  const Comparison same = Compare(job, {*model, whole, texts}, {*other, whole, texts});
  EXPECT(same.finite && same.max_difference == 0 && same.squared_difference == 0 && same.positions == 33 && same.same_top == 33);
  EXPECT(same.max_logit > 0 && same.squared_logit > 0);
  ModelView shorter = Whole();
  shorter.layers = {0, 1, 2};
  const Comparison different = Compare(job, {*model, whole, texts}, {*other, shorter, texts});
  EXPECT(different.finite && different.max_difference > 0 && different.same_top < 33);
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    Tiny damaged = TheTiny();
    damaged.compute = compute;
    const uint32_t bits = 0xffffffff;  // a NaN, as in a region of a file that was filled with ones
    for (int32_t i = 0; i < kSpec.width; ++i) std::memcpy(&damaged.embedding[some.ids[3] * kSpec.width + i], &bits, 4);
    EXPECT(!Compare(job, {*model, whole, texts}, {*damaged.Open(), whole, texts}).finite, compute == Compute::kF32 ? "f32" : "bf16");
  }
}

TEST("a cancelled job ends each operation with ERR_ABORTED and leaves the model usable") {
  const SomeTexts some({8, 25});
  const auto model = TheTiny().Open();
  const std::vector<float> before = LogitsOf(*model, Whole(), some.texts());
  const auto cancelled = [&](auto operation) {
    Job* running = nullptr;
    Job job([&](int64_t, int64_t) { running->Cancel(); });
    running = &job;
    return testing::CodeOf([&] { operation(job); });
  };
  const Texts texts = some.texts();
  EXPECT(cancelled([&](Job& job) { ScoreLayers(job, *model, Whole(), texts, {}); }) == "ERR_ABORTED");
  EXPECT(cancelled([&](Job& job) { Measure(job, *model, All(10), {Whole()}, texts, PositionKind::kAll, true); }) == "ERR_ABORTED");
  EXPECT(cancelled([&](Job& job) { Logits(job, *model, Whole(), texts, PositionKind::kAll); }) == "ERR_ABORTED");
  EXPECT(cancelled([&](Job& job) { RankNeurons(job, *model, Whole(), texts, {NeuronMetric::kWanda}); }) == "ERR_ABORTED");
  EXPECT(SameBits(LogitsOf(*model, Whole(), texts), before));
}

}  // namespace
}  // namespace flab
