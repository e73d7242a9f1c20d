#include <algorithm>
#include <cmath>
#include <numeric>

#include "prune/layer_scores.h"
#include "prune/walk.h"

namespace flab {
namespace {

// The first batch: enough texts for a first idea of how differences vary.
constexpr int64_t kFirstTexts = 8;
// A candidate goes only after this many.
constexpr int64_t kLeastTexts = 8;
// Chance that the best candidate of a race is lost.
constexpr double kRisk = 0.01;

// The same order in every run (Fisher-Yates over SplitMix64), so that texts of one kind that lie together do not come together.
std::vector<int64_t> Shuffled(int64_t count) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  uint64_t state = 0;
  for (int64_t i = count - 1; i > 0; --i) {
    state += 0x9e3779b97f4a7c15;
    uint64_t x = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    std::swap(order[i], order[(x ^ (x >> 31)) % static_cast<uint64_t>(i + 1)]);
  }
  return order;
}

// Upper quantile of the normal distribution, to four digits (Abramowitz and Stegun 26.2.23).
double NormalQuantile(double tail) {
  const double t = std::sqrt(-2 * std::log(tail));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

// The same of Student's t with `freedom` degrees of freedom, by the first terms of Cornish and Fisher's expansion.
double StudentQuantile(double tail, double freedom) {
  const double z = NormalQuantile(tail), z2 = z * z;
  return z * (1 + (z2 + 1) / (4 * freedom) + (5 * z2 * z2 + 16 * z2 + 3) / (96 * freedom * freedom));
}

// Sums over texts of what each candidate costs, and of the squared differences of each two.
class Tally {
 public:
  explicit Tally(int64_t candidates) : n_(candidates), sums_(candidates), squares_(candidates * candidates), texts_(candidates), positions_(candidates) {}

  // costs [racers]: of one text with some positions, for the candidates `racers`.
  void Add(const std::vector<int64_t>& racers, const double* costs, int64_t positions) {
    for (size_t i = 0; i < racers.size(); ++i) {
      sums_[racers[i]] += costs[i];
      positions_[racers[i]] += positions;
      ++texts_[racers[i]];
      for (size_t j = 0; j < i; ++j) {
        const double difference = costs[i] - costs[j];
        squares_[racers[i] * n_ + racers[j]] += difference * difference;
        squares_[racers[j] * n_ + racers[i]] += difference * difference;
      }
    }
  }

  // Those of `racers` that may still have the smallest sum over all `total` texts.
  std::vector<int64_t> Survivors(const std::vector<int64_t>& racers, int64_t total, double tail) const {
    const int64_t best = *std::min_element(racers.begin(), racers.end(), [&](int64_t a, int64_t b) { return sums_[a] < sums_[b]; });
    const double count = static_cast<double>(texts_[best]);
    // The texts are drawn without replacement: when all have been seen nothing is uncertain.
    const double unseen = 1 - count / static_cast<double>(total), bound = StudentQuantile(tail, count - 1);
    std::vector<int64_t> survivors;
    for (const int64_t racer : racers) {
      const double mean = (sums_[racer] - sums_[best]) / count;
      const double variance = (squares_[racer * n_ + best] / count - mean * mean) * count / (count - 1);
      const double error = std::sqrt(std::max(0.0, variance) * std::max(0.0, unseen) / count);
      // What is not a number stays: the search refuses it.
      if (racer == best || !(mean > bound * error)) survivors.push_back(racer);
    }
    return survivors;
  }

  double mean(int64_t candidate) const { return sums_[candidate] / static_cast<double>(positions_[candidate]); }
  int64_t texts(int64_t candidate) const { return texts_[candidate]; }

 private:
  int64_t n_;
  std::vector<double> sums_, squares_;
  std::vector<int64_t> texts_, positions_;
};

// Texts of their own memory, in another order.
struct Reordered {
  Reordered(const Texts& texts, const std::vector<int64_t>& order) {
    offsets.push_back(0);
    for (const int64_t text : order) {
      const auto part = texts.ids.subspan(texts.offsets[text], texts.length(text));
      ids.insert(ids.end(), part.begin(), part.end());
      offsets.push_back(static_cast<int32_t>(ids.size()));
    }
  }
  std::vector<int32_t> ids, offsets;
};

}  // namespace

LayerScores RaceLayers(Job& job, const Model& model, const ModelView& view, const Texts& texts, PositionKind kind) {
  const int64_t n = static_cast<int64_t>(view.layers.size());
  const LayerScoresOptions options{.positions = kind};
  LayerScores scores = NewScores(n);
  scores.token_layers_full = TokenLayers(model, view, texts.tokens(), true);
  job.SetTotal(scores.token_layers_full);
  const Budget budget = model.engine().Plan(texts, TokenBytes(model, n, n, texts), "scoring layers");
  const Reordered shuffled(texts, Shuffled(texts.count()));

  std::vector<int64_t> racers(n);
  std::iota(racers.begin(), racers.end(), 0);
  Tally tally(n);
  const double looks = 1 + std::log(std::max(1.0, static_cast<double>(texts.count()) / kFirstTexts)) / std::log(1.5);
  int64_t seen = 0, seen_tokens = 0;
  while (seen < texts.count() && racers.size() > 1) {
    const int64_t end = std::min(texts.count(), std::max(seen + kFirstTexts, seen * 3 / 2));
    const Texts batch{shuffled.ids, std::span(shuffled.offsets).subspan(seen, end - seen + 1)};
    std::vector<bool> races(n);
    for (const int64_t racer : racers) races[racer] = true;
    for (const Texts& chunk : Chunks(batch, budget.chunk_tokens)) {
      const std::vector<Position> positions = PositionsOf(chunk, kind, false, {});
      Walk walk(job, model, view, chunk, options, races, true, budget);
      WalkStore::Chunk unused;
      walk.Run(0, nullptr, unused);
      walk.AddTo(scores);
      scores.token_layers += walk.token_layers;
      HeadSums sums(walk.candidates());
      sums.keep_positions = true;
      AddDivergences(job, model, view, walk, positions, budget.head_rows, nullptr, sums);
      int64_t position = 0;
      for (int64_t text = 0; text < chunk.count(); ++text) {
        const int64_t count = kind == PositionKind::kLast ? 1 : chunk.length(text);
        std::vector<double> costs(racers.size());
        for (int64_t i = 0; i < count; ++i, ++position) {
          for (size_t c = 0; c < racers.size(); ++c) costs[c] += sums.by_position[position * static_cast<int64_t>(racers.size()) + static_cast<int64_t>(c)];
        }
        tally.Add(racers, costs.data(), count);
      }
    }
    seen = end;
    seen_tokens += batch.tokens();
    if (seen >= kLeastTexts) racers = tally.Survivors(racers, texts.count(), kRisk / (static_cast<double>(n) * looks));
  }
  job.Advance(scores.token_layers_full - scores.token_layers);

  scores.divergence.resize(n);
  for (int64_t i = 0; i < n; ++i) {
    scores.divergence[i] = tally.mean(i);
    scores.texts[i] = static_cast<uint32_t>(tally.texts(i));
  }
  scores.survivors.assign(racers.begin(), racers.end());
  DivideInfluence(scores, seen_tokens, seen);
  return scores;
}

}  // namespace flab
