#include "model/head.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/divergence.h"

namespace flab {
namespace {

thread_local Buffer<float> block_logits;

// Rows of a block: whole groups, about as many as a cache holds, with little of the last tile empty.
int64_t RowsOfBlock(const Kernels& kernels, int64_t group) {
  int64_t best = group;
  double best_share = 0;
  for (int64_t rows = group; rows <= std::max(group, 3 * BlockRows(kernels) / 2); rows += group) {
    const double share = static_cast<double>(rows) / static_cast<double>((rows + kernels.tile_rows - 1) / kernels.tile_rows * kernels.tile_rows);
    if (share >= best_share) best = rows, best_share = share;
  }
  return best;
}

void PackPanel(const Model& model, std::span<const uint32_t> tokens, int64_t panel, PackedMatrix& packed) {
  PackedMatrix::Row rows[kPanel];
  const int64_t begin = panel * kPanel, size = std::min<int64_t>(kPanel, static_cast<int64_t>(tokens.size()) - begin);
  for (int64_t i = 0; i < size; ++i) rows[i] = {&model.head, tokens[begin + i]};
  packed.FillPanel(panel, std::span(rows, size));
}

}  // namespace

void ForEachLogits(const Job& job, const Model& model, std::span<const uint32_t> tokens, const float* hidden, int64_t rows,
                   int64_t group, const std::function<void(const LogitsBlock&)>& consume) {
  const int64_t width = model.spec.width, vocabulary = static_cast<int64_t>(tokens.size());
  const int64_t block_rows = RowsOfBlock(model.format.kernels(), group), blocks = (rows + block_rows - 1) / block_rows;
  std::vector<PackedRows> inputs(blocks);
  job.Parallel(blocks, [&](int64_t block) {
    const int64_t first = block * block_rows, count = std::min(block_rows, rows - first);
    inputs[block].Reserve(model.format, count, width);
    for (int64_t row = 0; row < count; row += model.format.kernels().tile_rows) {
      inputs[block].FillTile(model.format, row, hidden + (first + row) * width, width);
    }
  });

  // While one block of columns is multiplied, the next one is packed.
  PackedMatrix current(model.format, std::min(kHeadColumns, vocabulary), width), next(model.format, std::min(kHeadColumns, vocabulary), width);
  const auto columns_from = [&](int64_t column) { return tokens.subspan(std::min(column, vocabulary), std::clamp<int64_t>(vocabulary - column, 0, kHeadColumns)); };
  const auto panels_of = [](std::span<const uint32_t> columns) { return (static_cast<int64_t>(columns.size()) + kPanel - 1) / kPanel; };
  job.Parallel(panels_of(columns_from(0)), [&](int64_t panel) { PackPanel(model, columns_from(0), panel, current); });
  for (int64_t column = 0; column < vocabulary; column += kHeadColumns) {
    const int64_t columns = static_cast<int64_t>(columns_from(column).size());
    const std::span<const uint32_t> following = columns_from(column + kHeadColumns);
    job.Parallel(blocks + panels_of(following), [&](int64_t task) {
      if (task >= blocks) return PackPanel(model, following, task - blocks, next);
      const int64_t count = inputs[task].rows();
      float* logits = block_logits.Reserve(count * kHeadColumns);
      MultiplyPanels(inputs[task], 0, count, current, 0, (columns + kPanel - 1) / kPanel, logits, kHeadColumns, false);
      consume({task * block_rows, count, column, columns, logits, kHeadColumns});
    });
    std::swap(current, next);
    Release(model.head, tokens[column], tokens[column + columns - 1] + 1 - tokens[column]);
  }
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

int64_t HeadBytes(const Model& model, int64_t rows) {
  const int64_t blocks = 2 * PackedBytes(model.format, kHeadColumns, model.spec.width);
  const int64_t logits = ThreadPool::Process().threads() * 2 * BlockRows(model.format.kernels()) * kHeadColumns * 4;
  return blocks + logits + rows * (model.format.Items(model.spec.width) + model.spec.width) * 4;
}

}  // namespace flab
