// Walks that begin in the middle, races, and budgets: all must give what a whole walk gives.

#include <algorithm>
#include <cstdlib>
#include <cmath>

#include "base/memory.h"
#include "base/testing.h"
#include "base/thread_pool.h"
#include "model/budget.h"
#include "model/decoder.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"
#include "model/testing_model.h"
#include "prune/walk_store.h"

namespace flab {
namespace {

using namespace testing_model;
using testing::Random;

// Queries that fill whole panels, so that those of the last rows are projected apart.
const ModelSpec kWide{.layers = 5, .width = 20, .ffn_width = 40, .query_heads = 4, .kv_heads = 2, .head_width = 8, .vocabulary = 300,
                      .norm_eps = 1e-5f, .rotary_scale = 1, .inverse_frequencies = {1, 0.1f, 0.01f, 0.001f}, .windows = {0, 0, 4, 0, 0}};

const Tiny& TheWide() {
  static const Tiny tiny = MakeTiny(kWide);
  return tiny;
}

ModelView WholeOf(const ModelSpec& spec) { return {All(spec.layers), {}, All(spec.vocabulary)}; }

SomeTexts ManyTexts(int count) {
  std::vector<int32_t> lengths;
  for (int i = 0; i < count; ++i) lengths.push_back(5 + i * 7 % 23);
  SomeTexts texts(lengths);
  for (int32_t& id : texts.ids) id %= 300;
  return texts;
}

// Divergences in the same bits; what is summed chunk by chunk first, to the rounding of doubles.
bool Same(const LayerScores& a, const LayerScores& b) {
  const auto near = [](const std::vector<double>& x, const std::vector<double>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](double p, double q) { return testing::Near(p, q, 1e-12 * std::fabs(q)); });
  };
  return a.divergence == b.divergence && a.loss == b.loss && near(a.block_influence, b.block_influence) &&
         near(a.block_influence_last, b.block_influence_last) && near(a.angular, b.angular);
}

TEST("rows that are finished alone at the last layer have the same bits as among all") {
  for (const ModelSpec& spec : {kSpec, kWide}) {
    for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
      Tiny tiny = MakeTiny(spec);
      tiny.compute = compute;
      const auto model = tiny.Open();
      const SomeTexts texts = ManyTexts(19);
      const int64_t tokens = texts.texts().tokens(), width = spec.width;
      std::vector<float> all = Random(3).Normals(2 * tokens * width), last = all;
      const std::vector<float> before = all;
      Job job;
      Decoder decoder(job, *model, texts.texts());
      decoder.RunLayer(spec.layers - 1, all.data(), 2);
      decoder.RunLayer(spec.layers - 1, last.data(), 2, {.last_only = true});
      for (int64_t state = 0; state < 2; ++state) {
        for (int64_t text = 0; text < texts.texts().count(); ++text) {
          for (int64_t row = texts.offsets[text]; row < texts.offsets[text + 1]; ++row) {
            const auto& expected = row + 1 == texts.offsets[text + 1] ? all : before;
            const int64_t at = (state * tokens + row) * width;
            EXPECT(std::equal(&last[at], &last[at] + width, &expected[at]), "state ", state, ", row ", row, " of text ", text);
          }
        }
      }
    }
  }
}

TEST("a search that keeps states between its steps scores as one that does not, with less work") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(400);
  for (const PositionKind kind : {PositionKind::kLast, PositionKind::kAll}) {
    for (const auto& order : std::vector<std::vector<uint32_t>>{{4, 3, 2}, {0, 1, 2}, {2, 3, 0}, {3, 1, 4}}) {
      WalkStore store;
      ModelView view = WholeOf(kWide);
      for (size_t step = 0; step < order.size(); ++step) {
        Job with, without;
        const bool keep = step + 1 < order.size();
        const LayerScores kept = ScoreLayers(with, *model, view, texts.texts(), {.positions = kind, .keep = keep}, &store);
        const LayerScores fresh = ScoreLayers(without, *model, view, texts.texts(), {.positions = kind});
        EXPECT(kept.token_layers_full == fresh.token_layers, "step ", step);
        EXPECT(Same(kept, fresh), "step ", step, " after dropping ", order[0]);
        if (step > 0 && store.reference()) EXPECT(kept.token_layers < kept.token_layers_full, "step ", step, ": ", kept.token_layers);
        view.layers.erase(std::find(view.layers.begin(), view.layers.end(), order[step]));
      }
    }
  }
}

TEST("what was kept is not used for other texts or another view") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(40), others = ManyTexts(39);
  WalkStore store;
  Job job;
  const ModelView whole = WholeOf(kWide);
  ModelView shorter = whole;
  shorter.layers = {0, 1, 2, 4};
  ScoreLayers(job, *model, shorter, texts.texts(), {.keep = true}, &store);
  EXPECT(Same(ScoreLayers(job, *model, whole, texts.texts(), {.keep = true}, &store), ScoreLayers(job, *model, whole, texts.texts(), {})), "a layer came back");
  EXPECT(Same(ScoreLayers(job, *model, shorter, others.texts(), {.keep = true}, &store), ScoreLayers(job, *model, shorter, others.texts(), {})), "other texts");
  ModelView fewer = shorter;
  fewer.tokens = {1, 5, 9, 200};
  EXPECT(Same(ScoreLayers(job, *model, fewer, others.texts(), {.keep = true}, &store), ScoreLayers(job, *model, fewer, others.texts(), {})), "other tokens");
}

TEST("a search goes on where no temporary file can be had") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(30);
  const char* before = std::getenv("TMPDIR");
  const std::string folder = before ? before : "";
  setenv("TMPDIR", "/does/not/exist", 1);
  WalkStore store;
  ModelView view = WholeOf(kWide);
  for (const uint32_t gone : {4u, 3u}) {
    Job job;
    EXPECT(Same(ScoreLayers(job, *model, view, texts.texts(), {.keep = true}, &store), ScoreLayers(job, *model, view, texts.texts(), {})));
    view.layers.erase(std::find(view.layers.begin(), view.layers.end(), gone));
  }
  if (before) {
    setenv("TMPDIR", folder.c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
}

TEST("a race finds the layer that the whole scoring finds, on fewer token-layers, and says what was measured on what") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(300);
  for (const PositionKind kind : {PositionKind::kLast, PositionKind::kAll}) {
    Job job, slow;
    const LayerScores race = RaceLayers(job, *model, WholeOf(kWide), texts.texts(), kind);
    const LayerScores whole = ScoreLayers(slow, *model, WholeOf(kWide), texts.texts(), {.positions = kind});
    const auto best = std::min_element(whole.divergence.begin(), whole.divergence.end()) - whole.divergence.begin();
    uint32_t chosen = race.survivors[0];
    for (const uint32_t place : race.survivors) {
      if (race.divergence[place] < race.divergence[chosen]) chosen = place;
    }
    EXPECT(chosen == best, "chose ", chosen, ", expected ", best);
    EXPECT(race.token_layers < whole.token_layers && race.token_layers_full == whole.token_layers, race.token_layers, " of ", whole.token_layers);
    const uint32_t most = *std::max_element(race.texts.begin(), race.texts.end());
    for (const uint32_t place : race.survivors) EXPECT(race.texts[place] == most, "survivor ", place);
    for (size_t place = 0; place < race.texts.size(); ++place) {
      EXPECT(race.texts[place] >= 8 || race.texts[place] == texts.texts().count(), "place ", place);
      // A mean over some of the texts: near that over all.
      EXPECT(std::fabs(race.divergence[place] / whole.divergence[place] - 1) < 0.8, "place ", place, ": ", race.divergence[place], " and ", whole.divergence[place]);
    }
  }
}

TEST("a race on too few texts to judge by is the whole scoring") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(7);
  Job job, slow;
  const LayerScores race = RaceLayers(job, *model, WholeOf(kWide), texts.texts(), PositionKind::kAll);
  const LayerScores whole = ScoreLayers(slow, *model, WholeOf(kWide), texts.texts(), {.positions = PositionKind::kAll});
  EXPECT(race.survivors.size() == 5);
  for (size_t i = 0; i < 5; ++i) EXPECT(testing::Near(race.divergence[i], whole.divergence[i], 1e-12 * whole.divergence[i]), "place ", i);
}

TEST("a race of a model whose logits are not numbers drops nobody for it") {
  Tiny tiny = MakeTiny(kWide);
  tiny.final_norm[3] = NAN;
  const auto model = tiny.Open();
  Job job;
  EXPECT(RaceLayers(job, *model, WholeOf(kWide), ManyTexts(40).texts(), PositionKind::kLast).survivors.size() == 5);
}

TEST("a memory limit changes no bit, and one that is too small names the smallest that works") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(400);
  Job job;
  const ModelView view = WholeOf(kWide);
  const LayerScores expected = ScoreLayers(job, *model, view, texts.texts(), {.positions = PositionKind::kAll});
  LimitMemory(1 << 20);
  std::string message;
  try {
    ScoreLayers(job, *model, view, texts.texts(), {.positions = PositionKind::kAll});
  } catch (const Error& error) {
    EXPECT(error.code == "ERR_MEMORY");
    message = error.what();
  }
  const size_t at = message.find("at least ");
  CHECK(at != std::string::npos, message);
  const int64_t least = std::atoll(message.c_str() + at + 9);
  // A little more, as the process's own size may have changed since.
  LimitMemory((least + 2) << 20);
  const LayerScores limited = ScoreLayers(job, *model, view, texts.texts(), {.positions = PositionKind::kAll});
  LimitMemory(0);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT(testing::Near(limited.divergence[i], expected.divergence[i], 1e-13 * expected.divergence[i]), "place ", i);
  }
}

TEST("a smaller limit gives smaller chunks, down to the longest text") {
  const auto model = TheWide().Open();
  const SomeTexts texts = ManyTexts(400);
  const auto tokens_at = [&](int64_t limit) {
    LimitMemory(limit);
    const Budget budget = PlanBudget(*model, texts.texts(), 1 << 20, "a test");
    LimitMemory(0);
    return budget.chunk_tokens;
  };
  const int64_t resident = ResidentBytes(), mega = 1 << 20;
  const int64_t scratch = Decoder::ScratchBytes(*model, 27, 512);
  const int64_t few = tokens_at(resident + scratch + 140 * mega), more = tokens_at(resident + scratch + 300 * mega);
  EXPECT(27 <= few && few < more && more <= 256, few, " and ", more);
}

}  // namespace
}  // namespace flab
