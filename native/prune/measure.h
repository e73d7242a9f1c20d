#pragma once

#include <vector>

#include "base/job.h"
#include "model/engine.h"

namespace flab {

// Runs the whole model and each candidate view of it over the texts and sums, over positions, the
// divergences and (with `losses`) the next-token losses, over the logits of `tokens`. The candidates' own
// `tokens` are not looked at.
HeadSums Measure(Job& job, const Model& model, const std::vector<uint32_t>& tokens, const std::vector<ModelView>& candidates,
                 const Texts& texts, PositionKind kind, bool losses);

// Logits [positions, tokens of the view] of the texts, in full: for few texts.
Buffer<float> Logits(Job& job, const Model& model, const ModelView& view, const Texts& texts, PositionKind kind);

// How far the logits of two models on texts of the same lengths are apart.
struct Comparison {
  double max_difference = 0, max_logit = 0;
  double squared_difference = 0, squared_logit = 0;
  int64_t positions = 0, same_top = 0;
  bool finite = true;
};

struct ComparedModel {
  const Model& model;
  const ModelView& view;
  const Texts& texts;
};

// Compares all logits at all positions; both views have as many tokens.
Comparison Compare(Job& job, const ComparedModel& a, const ComparedModel& b);

// The least memory that each of them takes.
Demand MeasureDemand(const Model& model, const Texts& texts, int64_t candidates);
Demand CompareDemand(const Model& model, const Texts& texts);

}  // namespace flab
