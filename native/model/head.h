#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/job.h"
#include "model/model.h"
#include "model/positions.h"

namespace flab {

// A block of logits while it exists: rows [first_row, first_row + rows), columns [first_column, ...), where
// column c is the logit of token tokens[c]. `logits` is [rows, stride].
struct LogitsBlock {
  int64_t first_row, rows, first_column, columns;
  const float* logits;
  int64_t stride;

  const float* row(int64_t i) const { return logits + i * stride; }
};

// Columns of one block: wide enough for the sums' vectors, and 112 x 1024 f32 stay in an L2 cache.
constexpr int64_t kHeadColumns = 1024;

// Computes hidden [rows, D] times the head's rows `tokens`, block by block, and shows each block to
// `consume` on some thread. Blocks of the same rows come one after the other, by ascending column; rows are
// cut only between groups of `group` rows. All logits together are never in memory.
void ForEachLogits(const Job& job, const Model& model, std::span<const uint32_t> tokens, const float* hidden, int64_t rows,
                   int64_t group, const std::function<void(const LogitsBlock&)>& consume);

// Adds positions to the sums. hidden [positions, 1 + candidates, D], each group the reference and then the candidates, after the final
// norm. Sums are taken in the order of positions.
void AddHead(const Job& job, const Model& model, std::span<const uint32_t> tokens, std::span<const Position> positions,
             const float* hidden, HeadSums& sums);

// Bytes that ForEachLogits takes for that many rows, `hidden` included.
int64_t HeadBytes(const Model& model, int64_t rows);

}  // namespace flab
