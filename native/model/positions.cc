#include "model/positions.h"

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

std::vector<int64_t> RowsOf(std::span<const Position> positions) {
  std::vector<int64_t> rows;
  for (const Position& position : positions) rows.push_back(position.row);
  return rows;
}

}  // namespace flab
