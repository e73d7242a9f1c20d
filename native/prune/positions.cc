#include "prune/positions.h"

#include <cmath>

#include "cpu/divergence.h"
#include "model/head.h"

namespace flab {

std::vector<int32_t> ColumnsOf(std::span<const uint32_t> tokens, int64_t vocabulary) {
  std::vector<int32_t> columns(vocabulary, -1);
  for (size_t i = 0; i < tokens.size(); ++i) columns[tokens[i]] = static_cast<int32_t>(i);
  return columns;
}

std::vector<Position> PositionsOf(const Texts& texts, PositionKind kind, bool losses, std::span<const int32_t> columns) {
  std::vector<Position> positions;
  for (int64_t text = 0; text < texts.count(); ++text) {
    const int64_t first = texts.offsets[text], end = texts.offsets[text + 1];
    for (int64_t i = first; i < end; ++i) {
      const bool last = i + 1 == end, diverges = last || kind == PositionKind::kAll;
      if (!diverges && !losses) continue;
      const int64_t target = losses && !last ? columns[texts.ids[i + 1]] : -1;
      positions.push_back({i - texts.offsets[0], diverges, target});
    }
  }
  return positions;
}

void AddHead(const Job& job, const Model& model, std::span<const uint32_t> tokens, std::span<const Position> positions,
             const float* hidden, HeadSums& sums) {
  const int64_t candidates = static_cast<int64_t>(sums.divergence.size()), states = 1 + candidates;
  const int64_t count = static_cast<int64_t>(positions.size());
  std::vector<DivergenceSums> divergences(count * candidates);
  std::vector<LogSumExp> normalisers(count * states);
  std::vector<float> target_logits(count * states);

  ForEachLogits(job, model, tokens, hidden, count * states, states, [&](const LogitsBlock& block) {
    for (int64_t i = 0; i < block.rows; ++i) {
      const int64_t row = block.first_row + i, state = row % states;
      const Position& position = positions[row / states];
      if (position.diverges && state > 0) {
        model.format.kernels().divergence_tile(Dtype::kF32, block.row(i - state), block.row(i), block.columns,
                                      divergences[row / states * candidates + state - 1]);
      }
      if (position.target < 0) continue;
      model.format.kernels().log_sum_exp_tile(block.row(i), block.columns, normalisers[row]);
      const int64_t column = position.target - block.first_column;
      if (column >= 0 && column < block.columns) target_logits[row] = block.row(i)[column];
    }
  });

  for (int64_t i = 0; i < count; ++i) {
    if (positions[i].diverges) {
      for (int64_t c = 0; c < candidates; ++c) {
        const double divergence = Divergence(divergences[i * candidates + c]);
        sums.divergence[c] += divergence;
        if (sums.keep_positions) sums.by_position.push_back(divergence);
      }
      ++sums.positions;
    }
    if (positions[i].target < 0) continue;
    for (int64_t state = 0; state < states; ++state) {
      const LogSumExp& normaliser = normalisers[i * states + state];
      const double loss = normaliser.max + std::log(normaliser.sum) - target_logits[i * states + state];
      (state == 0 ? sums.reference_loss : sums.loss[state - 1]) += loss;
    }
    ++sums.loss_tokens;
  }
}

}  // namespace flab
