#pragma once

#include <vector>

#include "model/engine.h"
#include "prune/layer_scores.h"
#include "prune/walk_store.h"

namespace flab {

// One chunk's walk through the layers. States lie in memory as [reference, view, candidate, candidate, ...]; until the first
// layer that the view lacks, the reference is the view and its place is not used.
class Walk {
 public:
  // `racers` [n]: candidates that take part. `reference`: whether the whole model's state is wanted where it differs from the view's.
  Walk(Job& job, const Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options, const std::vector<bool>& racers,
       bool reference, const Budget& budget);

  // Begins in the middle, where `chunk` was saved.
  void Load(const WalkStore::Chunk& chunk, WalkStore::Saving& saved);

  // Walks. Before the layer at `save_place` (0: nowhere) the states are saved, if the walk did not begin after it.
  void Run(int64_t save_place, WalkStore::Saving* saving, WalkStore::Chunk& chunk);

  // Hidden states for the head: the reference's, and those of the candidates behind it.
  void PutReference(std::span<const Position> positions, Hidden& hidden) const;
  void PutCandidates(std::span<const Position> positions, Hidden& hidden) const;

  // Adds what the chunk's view showed.
  void AddTo(LayerScores& scores) const;

  int64_t candidates() const { return static_cast<int64_t>(slots_.size()); }

  // Token-layer passes done.
  int64_t token_layers = 0;

 private:
  enum : int64_t { kReference, kView, kCandidates };

  void RunStates(int64_t layer, int64_t first, int64_t count, bool last_only);
  void StepInside(int64_t layer);
  void StepOutside(int64_t layer);
  void AddInfluence(int64_t input);
  void RememberLast();
  void Save(WalkStore::Saving& saving, WalkStore::Chunk& chunk);

  const Model& model_;
  const ModelView& view_;
  const Texts texts_;
  const LayerScoresOptions& options_;
  const bool reference_;
  const int64_t places_;
  const std::vector<int64_t> last_rows_;  // [texts]
  const std::vector<int64_t> slots_;      // places of the candidates in memory, ascending
  const std::unique_ptr<States> states_;
  int64_t place_ = 0;  // of the next layer of the view
  bool apart_ = false;
  std::vector<double> influence_, influence_last_;  // [places] sums
  std::vector<float> last_;                         // [places + 1, texts, D]
};

// Scores of n layers with nothing added yet.
LayerScores NewScores(int64_t n);

// Means from sums of the influence and of angles.
void DivideInfluence(LayerScores& scores, int64_t tokens, int64_t texts);

// Token-layer passes of a whole walk.
int64_t TokenLayers(const Model& model, const ModelView& view, int64_t tokens, bool candidates);

// Bytes that a token of a chunk takes: its states, its share of the rows that the angles need, its own numbers.
int64_t TokenBytes(const Model& model, int64_t layers, int64_t candidates, const Texts& texts);

// Adds the divergences of a chunk that was walked, `head_rows` hidden states at a time. The reference's come from `reference`
// [positions, D] if that is given.
void AddDivergences(Job& job, const Model& model, const ModelView& view, const Walk& walk, std::span<const Position> positions, int64_t head_rows,
                    const float* reference, HeadSums& sums);

}  // namespace flab
