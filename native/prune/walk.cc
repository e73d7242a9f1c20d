#include "prune/walk.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

namespace flab {
namespace {

double Cosine(const float* a, const float* b, int64_t count) {
  double ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < count; ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  // A state of zeros has no direction; one with NaN or infinities has a cosine of NaN, which no search accepts.
  return aa == 0 || bb == 0 ? 1 : std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

// Places of the candidates that take part; with none, one slot keeps a layer's input for the influence.
std::vector<int64_t> Slots(const std::vector<bool>& racers) {
  std::vector<int64_t> slots;
  for (size_t place = 0; place < racers.size(); ++place) {
    if (racers[place]) slots.push_back(static_cast<int64_t>(place));
  }
  return slots;
}

std::vector<int64_t> RowsOf(std::span<const Position> positions) {
  std::vector<int64_t> rows;
  for (const Position& position : positions) rows.push_back(position.row);
  return rows;
}

}  // namespace

Walk::Walk(Job& job, const Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options, const std::vector<bool>& racers,
           bool reference, int64_t batch_rows)
    : job_(job),
      model_(model),
      view_(view),
      texts_(texts),
      options_(options),
      reference_(reference),
      decoder_(job, model, texts, batch_rows),
      places_(static_cast<int64_t>(view.layers.size())),
      state_floats_(texts.tokens() * model.spec.width),
      slots_(Slots(racers)),
      states_((kCandidates + static_cast<int64_t>(slots_.size()) + 1) * state_floats_),
      influence_(places_),
      influence_last_(places_) {}

void Walk::Load(const WalkStore::Chunk& chunk, const Spill& spill) {
  spill.Read(chunk.states_at, State(kView), (1 + chunk.place) * state_floats_ * 4);
  last_.resize(chunk.place * texts_.count() * model_.spec.width);
  spill.Read(chunk.last_at, last_.data(), static_cast<int64_t>(last_.size()) * 4);
  std::copy(chunk.influence.begin(), chunk.influence.end(), influence_.begin());
  std::copy(chunk.influence_last.begin(), chunk.influence_last.end(), influence_last_.begin());
  place_ = chunk.place;
}

void Walk::Run(int64_t save_place, Spill* spill, WalkStore::Chunk& chunk) {
  int64_t layer = 0;
  if (place_ > 0) {
    layer = view_.layers[place_ - 1] + 1;
  } else {
    decoder_.Embed(State(kView));
  }
  RememberLast();
  for (; layer < model_.spec.layers; ++layer) {
    if (place_ < places_ && view_.layers[place_] == layer) {
      if (spill && place_ == save_place && place_ > 0) Save(*spill, chunk);
      StepInside(layer);
    } else if (reference_) {
      StepOutside(layer);
    }
  }
}

void Walk::Save(Spill& spill, WalkStore::Chunk& chunk) {
  chunk.states_at = spill.Append(State(kView), (1 + place_) * state_floats_ * 4);
  // Without the last rows before this layer, which the next walk takes from the states.
  chunk.last_at = spill.Append(last_.data(), place_ * texts_.count() * model_.spec.width * 4);
  if (chunk.states_at < 0 || chunk.last_at < 0) return;
  chunk.place = place_;
  chunk.influence.assign(influence_.begin(), influence_.begin() + place_);
  chunk.influence_last.assign(influence_last_.begin(), influence_last_.begin() + place_);
}

void Walk::RunStates(int64_t layer, int64_t first, int64_t count, bool last_only) {
  if (count == 0) return;
  decoder_.RunLayer(layer, State(first), count, {.last_only = last_only});
  token_layers += count * texts_.tokens();
}

void Walk::StepInside(int64_t layer) {
  // The input of the layer is the new candidate, or the first slot that is still free keeps it for the influence.
  const int64_t earlier = std::lower_bound(slots_.begin(), slots_.end(), place_) - slots_.begin();
  float* input = State(kCandidates + earlier);
  std::memcpy(input, State(kView), state_floats_ * sizeof(float));
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
  if (!apart_) std::memcpy(State(kReference), State(kView), state_floats_ * sizeof(float));
  apart_ = true;
  RunStates(layer, kReference, 1, layer + 1 == model_.spec.layers && options_.positions == PositionKind::kLast && !options_.losses);
}

void Walk::AddInfluence(const float* input) {
  const int64_t width = model_.spec.width;
  std::vector<double> cosines(texts_.tokens());
  constexpr int64_t kRows = 64;  // a task
  job_.Parallel((texts_.tokens() + kRows - 1) / kRows, [&](int64_t task) {
    for (int64_t t = task * kRows; t < std::min(texts_.tokens(), (task + 1) * kRows); ++t) {
      cosines[t] = Cosine(input + t * width, State(kView) + t * width, width);
    }
  });
  for (const double cosine : cosines) influence_[place_] += 1 - cosine;
  for (int64_t text = 0; text < texts_.count(); ++text) influence_last_[place_] += 1 - cosines[LastRow(text)];
}

void Walk::RememberLast() {
  const int64_t width = model_.spec.width;
  for (int64_t text = 0; text < texts_.count(); ++text) {
    const float* row = State(kView) + LastRow(text) * width;
    last_.insert(last_.end(), row, row + width);
  }
}

void Walk::ReferenceHidden(std::span<const Position> positions, float* out) const {
  decoder_.FinalNorm(State(apart_ ? kReference : kView), RowsOf(positions), out, model_.spec.width);
}

void Walk::Hidden(std::span<const Position> positions, const float* reference, float* out) const {
  const int64_t width = model_.spec.width, group = 1 + candidates();
  const std::vector<int64_t> rows = RowsOf(positions);
  if (reference) {
    for (size_t i = 0; i < positions.size(); ++i) std::copy_n(reference + i * width, width, out + i * group * width);
  } else {
    decoder_.FinalNorm(State(apart_ ? kReference : kView), rows, out, group * width);
  }
  for (int64_t slot = 0; slot < candidates(); ++slot) {
    decoder_.FinalNorm(State(kCandidates + slot), rows, out + (1 + slot) * width, group * width);
  }
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
  return (candidates + 3 + last_rows) * row + 64;
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
  const int64_t group = 1 + walk.candidates(), count = static_cast<int64_t>(positions.size()), piece = std::max<int64_t>(1, head_rows / group);
  Buffer<float> hidden(std::min(piece, count) * group * model.spec.width);
  for (int64_t first = 0; first < count; first += piece) {
    const auto part = positions.subspan(first, std::min(piece, count - first));
    walk.Hidden(part, reference ? reference + first * model.spec.width : nullptr, hidden.data());
    AddHead(job, model, view.tokens, part, hidden.data(), sums);
  }
}

void DivideInfluence(LayerScores& scores, int64_t tokens, int64_t texts) {
  for (double& value : scores.block_influence) value /= static_cast<double>(tokens);
  for (double& value : scores.block_influence_last) value /= static_cast<double>(texts);
  for (double& value : scores.angular) value /= static_cast<double>(texts);
}

}  // namespace flab
