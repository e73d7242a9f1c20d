#include "prune/layer_scores.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "model/decoder.h"

namespace flab {
namespace {

// Memory for the states of one chunk; the number of tokens at a time follows from it.
constexpr int64_t kStateBytes = int64_t{512} << 20;

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

// One chunk's walk. States lie in memory as [reference, view, candidate 0, 1, ...]; until the first layer
// that the view lacks, the reference is the view and its place is not used.
class Walk {
 public:
  Walk(Job& job, Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options)
      : job_(job),
        model_(model),
        view_(view),
        texts_(texts),
        options_(options),
        decoder_(job, model, texts),
        places_(static_cast<int64_t>(view.layers.size())),
        state_floats_(texts.tokens() * model.spec.width),
        states_((options.candidates ? 2 + places_ : 3) * state_floats_) {}

  void Run(LayerScores& scores) {
    decoder_.Embed(State(kView));
    RememberLast();
    int64_t place = 0;
    for (int64_t layer = 0; layer < model_.spec.layers; ++layer) {
      if (place < places_ && view_.layers[place] == layer) {
        StepInside(layer, place++, scores);
      } else if (options_.candidates) {
        StepOutside(layer);
      }
    }
    AddAngles(scores);
  }

  // Rows for the head: [positions, reference and candidates, D].
  Buffer<float> Hidden(std::span<const Position> positions) {
    const int64_t width = model_.spec.width, group = 1 + places_;
    std::vector<int64_t> rows;
    for (const Position& position : positions) rows.push_back(position.row);
    Buffer<float> hidden(static_cast<int64_t>(rows.size()) * group * width);
    decoder_.FinalNorm(State(apart_ ? kReference : kView), rows, hidden.data(), group * width);
    for (int64_t place = 0; place < places_; ++place) {
      decoder_.FinalNorm(State(kCandidates + place), rows, hidden.data() + (1 + place) * width, group * width);
    }
    return hidden;
  }

  int64_t token_layers = 0;

 private:
  enum : int64_t { kReference, kView, kCandidates };
  float* State(int64_t index) { return states_.data() + index * state_floats_; }

  void RunStates(int64_t layer, int64_t first, int64_t count, const LayerOptions& options = {}) {
    decoder_.RunLayer(layer, State(first), count, options);
    token_layers += count * texts_.tokens();
  }

  void StepInside(int64_t layer, int64_t place, LayerScores& scores) {
    // The input of the layer is the new candidate; without candidates it is only kept for the influence.
    float* input = State(kCandidates + (options_.candidates ? place : 0));
    std::memcpy(input, State(kView), state_floats_ * sizeof(float));
    const int64_t first = apart_ ? kReference : kView;
    const int64_t earlier = options_.candidates ? place : 0;
    RunStates(layer, first, kView - first + 1 + earlier);
    AddInfluence(place, input, scores);
    RememberLast();
  }

  void StepOutside(int64_t layer) {
    if (!apart_) std::memcpy(State(kReference), State(kView), state_floats_ * sizeof(float));
    apart_ = true;
    RunStates(layer, kReference, 1);
  }

  void AddInfluence(int64_t place, const float* input, LayerScores& scores) {
    const int64_t width = model_.spec.width;
    std::vector<double> cosines(texts_.tokens());
    job_.Parallel(texts_.tokens(), [&](int64_t t) { cosines[t] = Cosine(input + t * width, State(kView) + t * width, width); });
    for (const double cosine : cosines) scores.block_influence[place] += 1 - cosine;
    for (int64_t text = 0; text < texts_.count(); ++text) scores.block_influence_last[place] += 1 - cosines[LastRow(text)];
  }

  int64_t LastRow(int64_t text) const { return texts_.offsets[text + 1] - texts_.offsets[0] - 1; }

  void RememberLast() {
    const int64_t width = model_.spec.width;
    for (int64_t text = 0; text < texts_.count(); ++text) {
      const float* row = State(kView) + LastRow(text) * width;
      last_.insert(last_.end(), row, row + width);
    }
  }

  void AddAngles(LayerScores& scores) {
    const int64_t width = model_.spec.width, count = places_ + 1;
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

  Job& job_;
  Model& model_;
  const ModelView& view_;
  const Texts& texts_;
  const LayerScoresOptions& options_;
  Decoder decoder_;
  const int64_t places_, state_floats_;
  Buffer<float> states_;
  bool apart_ = false;
  std::vector<float> last_;  // [places + 1, texts, D]
};

void Divide(std::vector<double>& values, int64_t count) {
  for (double& value : values) value /= static_cast<double>(count);
}

int64_t TotalTokenLayers(const Model& model, const ModelView& view, const Texts& texts, bool candidates) {
  const int64_t n = static_cast<int64_t>(view.layers.size());
  if (!candidates) return n * texts.tokens();
  int64_t shared = 0;  // layers before the reference and the view part
  while (shared < n && view.layers[shared] == shared) ++shared;
  return (n + n * (n - 1) / 2 + (shared < model.spec.layers ? model.spec.layers - shared : 0)) * texts.tokens();
}

}  // namespace

LayerScores ScoreLayers(Job& job, Model& model, const ModelView& view, const Texts& texts, const LayerScoresOptions& options) {
  const int64_t n = static_cast<int64_t>(view.layers.size());
  LayerScores scores;
  scores.block_influence.resize(n);
  scores.block_influence_last.resize(n);
  scores.angular.resize((n + 1) * (n + 1));
  const int64_t states = options.candidates ? n + 2 : 3;
  const int64_t chunk_tokens = std::max<int64_t>(1, kStateBytes / (states * model.spec.width * 4));
  job.SetTotal(TotalTokenLayers(model, view, texts, options.candidates));

  const std::vector<int32_t> columns = ColumnsOf(view.tokens, model.spec.vocabulary);
  HeadSums sums(options.candidates ? n : 0);
  for (const Texts& chunk : Chunks(texts, chunk_tokens)) {
    Walk walk(job, model, view, chunk, options);
    walk.Run(scores);
    scores.token_layers += walk.token_layers;
    if (!options.candidates) continue;
    const std::vector<Position> positions = PositionsOf(chunk, options.positions, options.losses, columns);
    AddHead(job, model, view.tokens, positions, walk.Hidden(positions).data(), sums);
  }
  Divide(scores.block_influence, texts.tokens());
  Divide(scores.block_influence_last, texts.count());
  Divide(scores.angular, texts.count());
  if (options.candidates) {
    scores.divergence = sums.divergence;
    Divide(scores.divergence, sums.positions);
    if (options.losses) {
      scores.loss = sums.loss;
      Divide(scores.loss, sums.loss_tokens);
    }
  }
  return scores;
}

}  // namespace flab
