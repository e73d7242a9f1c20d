#pragma once

#include <vector>

#include "base/job.h"
#include "model/model.h"
#include "prune/positions.h"

namespace flab {

// What each layer of a view is worth, by every measure that one walk gives. Indices are places in the view.
struct LayerScores {
  std::vector<double> divergence;            // [n] mean KL(reference || view without the layer), nats
  std::vector<double> loss;                  // [n] mean next-token loss of the view without the layer, nats
  std::vector<double> block_influence;       // [n] 1 - mean cosine of input and output, all tokens
  std::vector<double> block_influence_last;  // [n] the same at the last token of each text
  std::vector<double> angular;               // [n + 1, n + 1] mean angular distance of layer inputs at the last token
  int64_t token_layers = 0;
};

struct LayerScoresOptions {
  PositionKind positions = PositionKind::kLast;
  bool candidates = true;
  bool losses = false;
};

// Scores every layer of `view` against the whole model, in one walk through the layers: the candidate
// without layer j is the state before layer j, sent on through the layers after it, so at layer i the view's
// state and the candidates 0..i-1 go through the same weights as one batch. n(n-1)/2 + n layer passes a
// token instead of n^2, and each weight is read once a chunk.
LayerScores ScoreLayers(Job& job, Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options);

}  // namespace flab
