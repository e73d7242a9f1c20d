#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"

namespace flab {

// Positions whose divergence counts: the last token of each text, or every token.
enum class PositionKind { kLast, kAll };

// A position that the LM head is computed for.
struct Position {
  int64_t row;      // of the chunk's states
  bool diverges;    // counts for the divergence
  int64_t target;   // column of the next token's logit; -1: no loss here
};

// Columns of vocabulary rows among `tokens`; -1 for a row that is not there.
std::vector<int32_t> ColumnsOf(std::span<const uint32_t> tokens, int64_t vocabulary);

// The positions of a chunk of texts. With `losses`, every token is one, and all but the last of each text
// have a target where the next token is among the view's.
std::vector<Position> PositionsOf(const Texts& texts, PositionKind kind, bool losses, std::span<const int32_t> columns);

// Their rows.
std::vector<int64_t> RowsOf(std::span<const Position> positions);

// Sums over positions, for a reference and `candidates` candidates.
struct HeadSums {
  explicit HeadSums(int64_t candidates) : divergence(candidates), loss(candidates) {}
  std::vector<double> divergence;  // [candidates] KL(reference || candidate), nats
  std::vector<double> loss;        // [candidates] -log p(next token), nats
  std::vector<double> by_position;  // [positions, candidates] the same divergences one by one, where `keep_positions`
  bool keep_positions = false;
  double reference_loss = 0;
  int64_t positions = 0, loss_tokens = 0;
};

}  // namespace flab
