#include "prune/layer_scores.h"

#include <algorithm>

#include "prune/walk.h"
#include "prune/walk_store.h"

namespace flab {
namespace {

// Chunks of the texts as they were cut before, or anew.
std::vector<WalkStore::Chunk> CutChunks(const Texts& texts, const WalkStore* store, bool keep, int64_t chunk_tokens) {
  if (store && !store->saved().empty()) return store->saved();
  // Several chunks, so that the first ones tell where the others are worth saving.
  constexpr int64_t kFewTokens = 1024, kChunks = 8;
  if (keep) chunk_tokens = std::min(chunk_tokens, std::max(kFewTokens, texts.tokens() / kChunks));
  std::vector<WalkStore::Chunk> chunks;
  int64_t first = 0;
  for (const Texts& chunk : Chunks(texts, chunk_tokens)) {
    chunks.push_back({.first_text = first, .texts = chunk.count(), .influence = {}, .influence_last = {}});
    first += chunk.count();
  }
  return chunks;
}

}  // namespace

Demand ScoreLayersDemand(const Model& model, const Texts& texts, int64_t candidates) {
  return model.engine().LeastDemand(texts, TokenBytes(model, model.spec.layers, candidates, texts));
}

LayerScores ScoreLayers(Job& job, const Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options, WalkStore* store) {
  const int64_t n = static_cast<int64_t>(view.layers.size()), width = model.spec.width, candidates = options.candidates ? n : 0;
  const Budget budget = model.engine().Plan(texts, TokenBytes(model, n, candidates, texts), "scoring layers");
  if (store) store->Begin(view, texts, options);
  const std::vector<WalkStore::Chunk> chunks = CutChunks(texts, store, options.keep, budget.chunk_tokens);
  const bool known = store && store->reference();
  const bool keep = store && options.keep && options.candidates;
  WalkStore::Saving* saving = keep ? store->NewStates(model.engine(), texts.tokens() * width * 4 * (n + 1) * 3 / 4, texts.count() * width * 4 * n) : nullptr;
  Spill* references = keep && !known ? store->NewReference(texts.tokens() * width * 4) : nullptr;

  LayerScores scores = NewScores(n);
  scores.token_layers_full = TokenLayers(model, view, texts.tokens(), options.candidates);
  job.SetTotal(scores.token_layers_full);
  const std::vector<int32_t> columns = ColumnsOf(view.tokens, model.spec.vocabulary);
  const std::vector<bool> racers(n, options.candidates);
  HeadSums sums(candidates);
  std::vector<WalkStore::Chunk> saved;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const WalkStore::Chunk& before = chunks[i];
    const Texts chunk{texts.ids, texts.offsets.subspan(before.first_text, before.texts + 1)};
    const std::vector<Position> positions = PositionsOf(chunk, options.positions, options.losses, columns);
    WalkStore::Chunk now{.first_text = before.first_text, .texts = before.texts, .positions = static_cast<int64_t>(positions.size()), .influence = {}, .influence_last = {}, .reference_at = before.reference_at};
    Walk walk(job, model, view, chunk, options, racers, options.candidates && !known, budget);
    if (known && before.place > 0) {
      walk.Load(before, store->before());
      store->Loaded(i);
    }
    const auto best = std::min_element(sums.divergence.begin(), sums.divergence.end());
    walk.Run(saved.empty() ? before.place : best - sums.divergence.begin(), saving, now);
    walk.AddTo(scores);
    scores.token_layers += walk.token_layers;
    if (options.candidates) {
      Buffer<float> reference(known || references ? now.positions * width : 0);
      if (known) store->reference()->Read(before.reference_at, reference.data(), now.positions * width * 4);
      if (references) {
        const auto hidden = model.engine().NewHidden(job, now.positions, 1);
        walk.PutReference(positions, *hidden);
        hidden->Read(0, now.positions, reference.data());
        now.reference_at = references->Append(reference.data(), now.positions * width * 4);
        if (now.reference_at < 0) references = nullptr;
      }
      AddDivergences(job, model, view, walk, positions, budget.head_rows, reference.data(), sums);
    }
    saved.push_back(std::move(now));
  }
  if (keep) store->End(std::move(saved));
  job.Advance(scores.token_layers_full - scores.token_layers);

  std::fill(scores.texts.begin(), scores.texts.end(), static_cast<uint32_t>(texts.count()));
  DivideInfluence(scores, texts.tokens(), texts.count());
  if (options.candidates) {
    for (const double sum : sums.divergence) scores.divergence.push_back(sum / static_cast<double>(sums.positions));
    for (const double sum : sums.loss) {
      if (options.losses) scores.loss.push_back(sum / static_cast<double>(sums.loss_tokens));
    }
  }
  return scores;
}

}  // namespace flab
