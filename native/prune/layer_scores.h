#pragma once

#include <cstdint>
#include <vector>

#include "base/job.h"
#include "model/engine.h"
#include "model/model.h"
#include "model/positions.h"

namespace flab {

// What each layer of a view is worth, by every measure that one walk gives. Indices are places in the view.
struct LayerScores {
  std::vector<double> divergence;            // [n] mean KL(reference || view without the layer), nats
  std::vector<double> loss;                  // [n] mean next-token loss of the view without the layer, nats
  std::vector<double> block_influence;       // [n] 1 - mean cosine of input and output, all tokens
  std::vector<double> block_influence_last;  // [n] the same at the last token of each text
  std::vector<double> angular;               // [n + 1, n + 1] mean angular distance of layer inputs at the last token
  std::vector<uint32_t> texts;               // [n] texts that each candidate was measured on
  std::vector<uint32_t> survivors;           // places that may be the best: all, unless raced
  int64_t token_layers = 0;                  // that were computed
  int64_t token_layers_full = 0;             // without what was saved before, and without racing
};

struct LayerScoresOptions {
  PositionKind positions = PositionKind::kLast;
  bool candidates = true;
  bool losses = false;
  bool keep = false;  // leave in the store what the next scoring of the same search can begin with
};

class WalkStore;

// Scores every layer of `view` against the whole model, in one walk through the layers: the candidate
// without layer j is the state before layer j, sent on through the layers after it, so at layer i the view's
// state and the candidates 0..i-1 go through the same weights as one batch. n(n-1)/2 + n layer passes a
// token instead of n^2, and each weight is read once a chunk. At the last layer, only rows whose logits count
// are finished.
//
// With a store, the walk begins where the one before it in the same greedy search allows.
LayerScores ScoreLayers(Job& job, const Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options,
                        WalkStore* store = nullptr);

// The least memory that this takes.
Demand ScoreLayersDemand(const Model& model, const Texts& texts, int64_t candidates);

// The same as a race, for the smallest mean divergence: texts are taken in random order, in growing batches, and a candidate
// whose mean is above the best one's by more than a confidence bound on their paired difference takes no part in the next.
// The chance that the best candidate is lost is at most about 1 %.
LayerScores RaceLayers(Job& job, const Model& model, const ModelView& view, const Texts& texts, PositionKind positions);

}  // namespace flab
