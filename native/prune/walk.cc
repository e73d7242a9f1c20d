#include "prune/walk.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace flab {
namespace {

// Places of the candidates that take part; with none, one slot keeps a layer's input for the influence.
std::vector<int64_t> Slots(const std::vector<bool>& racers) {
  std::vector<int64_t> slots;
  for (size_t place = 0; place < racers.size(); ++place) {
    if (racers[place]) slots.push_back(static_cast<int64_t>(place));
  }
  return slots;
}

std::vector<int64_t> LastRows(const Texts& texts) {
  std::vector<int64_t> rows;
  for (int64_t text = 0; text < texts.count(); ++text) rows.push_back(texts.offsets[text + 1] - texts.offsets[0] - 1);
  return rows;
}

}  // namespace

Walk::Walk(Job& job, const Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options, const std::vector<bool>& racers,
           bool reference, const Budget& budget)
    : model_(model),
      view_(view),
      texts_(texts),
      options_(options),
      reference_(reference),
      places_(static_cast<int64_t>(view.layers.size())),
      last_rows_(LastRows(texts)),
      slots_(Slots(racers)),
      states_(model.engine().NewStates(job, texts, kCandidates + static_cast<int64_t>(slots_.size()) + 1, budget)),
      influence_(places_),
      influence_last_(places_) {}

void Walk::Load(const WalkStore::Chunk& chunk, WalkStore::Saving& saved) {
  last_.resize(chunk.place * texts_.count() * model_.spec.width);
  saved.rows->Read(chunk.last_at, last_.data(), static_cast<int64_t>(last_.size()) * 4);
  // At last, as they may be gone then.
  saved.states->Load(chunk.states_at, *states_, kView, 1 + chunk.place);
  std::copy(chunk.influence.begin(), chunk.influence.end(), influence_.begin());
  std::copy(chunk.influence_last.begin(), chunk.influence_last.end(), influence_last_.begin());
  place_ = chunk.place;
}

void Walk::Run(int64_t save_place, WalkStore::Saving* saving, WalkStore::Chunk& chunk) {
  int64_t layer = 0;
  if (place_ > 0) {
    layer = view_.layers[place_ - 1] + 1;
  } else {
    states_->Embed(kView);
  }
  RememberLast();
  for (; layer < model_.spec.layers; ++layer) {
    if (place_ < places_ && view_.layers[place_] == layer) {
      if (saving && place_ == save_place && place_ > 0) Save(*saving, chunk);
      StepInside(layer);
    } else if (reference_) {
      StepOutside(layer);
    }
  }
}

void Walk::Save(WalkStore::Saving& saving, WalkStore::Chunk& chunk) {
  chunk.states_at = saving.states->Save(*states_, kView, 1 + place_);
  if (chunk.states_at < 0) return;
  // Without the last rows before this layer, which the next walk takes from the states.
  chunk.last_at = saving.rows->Append(last_.data(), place_ * texts_.count() * model_.spec.width * 4);
  if (chunk.last_at < 0) return;
  chunk.place = place_;
  chunk.influence.assign(influence_.begin(), influence_.begin() + place_);
  chunk.influence_last.assign(influence_last_.begin(), influence_last_.begin() + place_);
}

void Walk::RunStates(int64_t layer, int64_t first, int64_t count, bool last_only) {
  if (count == 0) return;
  states_->RunLayer(layer, first, count, {.last_only = last_only});
  token_layers += count * texts_.tokens();
}

void Walk::StepInside(int64_t layer) {
  // The input of the layer is the new candidate, or the first slot that is still free keeps it for the influence.
  const int64_t earlier = std::lower_bound(slots_.begin(), slots_.end(), place_) - slots_.begin();
  const int64_t input = kCandidates + earlier;
  states_->Copy(kView, input);
  const bool last_only = place_ + 1 == places_ && options_.positions == PositionKind::kLast && !options_.losses;
  if (apart_) RunStates(layer, kReference, 1, last_only && layer + 1 == model_.spec.layers);
  if (last_only) {
    RunStates(layer, kView, 1, false);  // in full: its influence is over all tokens
    RunStates(layer, kCandidates, earlier, true);
  } else {
    RunStates(layer, kView, 1 + earlier, false);
  }
  AddInfluence(input);
  ++place_;
  RememberLast();
}

void Walk::StepOutside(int64_t layer) {
  if (!apart_) states_->Copy(kView, kReference);
  apart_ = true;
  RunStates(layer, kReference, 1, layer + 1 == model_.spec.layers && options_.positions == PositionKind::kLast && !options_.losses);
}

void Walk::AddInfluence(int64_t input) {
  const std::vector<double> cosines = states_->Cosines(input, kView);
  for (const double cosine : cosines) influence_[place_] += 1 - cosine;
  for (const int64_t row : last_rows_) influence_last_[place_] += 1 - cosines[row];
}

void Walk::RememberLast() {
  const size_t before = last_.size();
  last_.resize(before + last_rows_.size() * model_.spec.width);
  states_->ReadRows(kView, last_rows_, &last_[before]);
}

void Walk::PutReference(std::span<const Position> positions, Hidden& hidden) const {
  hidden.Put(*states_, apart_ ? kReference : kView, RowsOf(positions), 0);
}

void Walk::PutCandidates(std::span<const Position> positions, Hidden& hidden) const {
  const std::vector<int64_t> rows = RowsOf(positions);
  for (int64_t slot = 0; slot < candidates(); ++slot) hidden.Put(*states_, kCandidates + slot, rows, 1 + slot);
}

void Walk::AddTo(LayerScores& scores) const {
  const int64_t width = model_.spec.width, count = places_ + 1;
  for (int64_t place = 0; place < places_; ++place) {
    scores.block_influence[place] += influence_[place];
    scores.block_influence_last[place] += influence_last_[place];
  }
  for (int64_t a = 0; a < count; ++a) {
    for (int64_t b = a + 1; b < count; ++b) {
      double sum = 0;
      for (int64_t text = 0; text < texts_.count(); ++text) {
        const float* from = &last_[(a * texts_.count() + text) * width];
        const float* to = &last_[(b * texts_.count() + text) * width];
        sum += std::acos(Cosine(from, to, width)) / std::numbers::pi;
      }
      scores.angular[a * count + b] += sum;
      scores.angular[b * count + a] += sum;
    }
  }
}

int64_t TokenLayers(const Model& model, const ModelView& view, int64_t tokens, bool candidates) {
  const int64_t n = static_cast<int64_t>(view.layers.size());
  if (!candidates) return n * tokens;
  int64_t shared = 0;  // layers before the reference and the view part
  while (shared < n && view.layers[shared] == shared) ++shared;
  return (n + n * (n - 1) / 2 + (shared < model.spec.layers ? model.spec.layers - shared : 0)) * tokens;
}

int64_t TokenBytes(const Model& model, int64_t layers, int64_t candidates, const Texts& texts) {
  const int64_t row = model.spec.width * 4, last_rows = (layers + 1) * texts.count() / std::max<int64_t>(1, texts.tokens()) + 1;
  return (candidates + 4 + last_rows) * row + 64;  // one for what is read from or written to files
}

LayerScores NewScores(int64_t n) {
  LayerScores scores;
  scores.block_influence.resize(n);
  scores.block_influence_last.resize(n);
  scores.angular.resize((n + 1) * (n + 1));
  scores.texts.resize(n);
  scores.survivors.resize(n);
  std::iota(scores.survivors.begin(), scores.survivors.end(), 0);
  return scores;
}

void AddDivergences(Job& job, const Model& model, const ModelView& view, const Walk& walk, std::span<const Position> positions, int64_t head_rows,
                    const float* reference, HeadSums& sums) {
  const int64_t group = 1 + walk.candidates(), count = static_cast<int64_t>(positions.size()), piece = std::min(count, std::max<int64_t>(1, head_rows / group));
  const auto hidden = model.engine().NewHidden(job, piece, group);
  for (int64_t first = 0; first < count; first += piece) {
    const auto part = positions.subspan(first, std::min(piece, count - first));
    if (reference) {
      hidden->Write(0, static_cast<int64_t>(part.size()), reference + first * model.spec.width);
    } else {
      walk.PutReference(part, *hidden);
    }
    walk.PutCandidates(part, *hidden);
    hidden->AddTo(view.tokens, 0, part, sums);
  }
}

void DivideInfluence(LayerScores& scores, int64_t tokens, int64_t texts) {
  for (double& value : scores.block_influence) value /= static_cast<double>(tokens);
  for (double& value : scores.block_influence_last) value /= static_cast<double>(texts);
  for (double& value : scores.angular) value /= static_cast<double>(texts);
}

}  // namespace flab
