#include "model/positions.h"

#include "base/testing.h"

namespace flab {
namespace {

struct Row {
  int64_t row;
  bool diverges;
  int64_t target;
  bool operator==(const Row&) const = default;
};

std::vector<Row> Rows(const Texts& texts, PositionKind kind, bool losses, std::span<const int32_t> columns) {
  std::vector<Row> rows;
  for (const Position& position : PositionsOf(texts, kind, losses, columns)) rows.push_back({position.row, position.diverges, position.target});
  return rows;
}

const std::vector<int32_t> kIds = {5, 1, 2, 4, 4, 0};
const std::vector<int32_t> kOffsets = {0, 3, 4, 6};
const Texts kTexts{kIds, kOffsets};
const std::vector<uint32_t> kTokens = {0, 2, 4, 5};
// Column of each id among kTokens.
const std::vector<int32_t> kColumns = {0, -1, 1, -1, 2, 3};

TEST("columns are places among the tokens, -1 for the others") {
  EXPECT(ColumnsOf(kTokens, 6) == kColumns);
  EXPECT(ColumnsOf({}, 2) == (std::vector<int32_t>{-1, -1}));
  const uint32_t all[] = {0, 1, 2};
  EXPECT(ColumnsOf(all, 3) == (std::vector<int32_t>{0, 1, 2}));
}

TEST("the last positions are the last token of each text") {
  EXPECT(Rows(kTexts, PositionKind::kLast, false, kColumns) == (std::vector<Row>{{2, true, -1}, {3, true, -1}, {5, true, -1}}));
}

TEST("all positions are every token") {
  EXPECT(Rows(kTexts, PositionKind::kAll, false, kColumns) ==
         (std::vector<Row>{{0, true, -1}, {1, true, -1}, {2, true, -1}, {3, true, -1}, {4, true, -1}, {5, true, -1}}));
}

TEST("losses need every position, and have a target where the next token of the same text is kept") {
  // Text 0 is 5 1 2: the 1 is not kept, the 2 is column 1. Text 1 is 4 alone. Text 2 is 4 0: the 0 is column 0.
  EXPECT(Rows(kTexts, PositionKind::kLast, true, kColumns) ==
         (std::vector<Row>{{0, false, -1}, {1, false, 1}, {2, true, -1}, {3, true, -1}, {4, false, 0}, {5, true, -1}}));
  EXPECT(Rows(kTexts, PositionKind::kAll, true, kColumns) ==
         (std::vector<Row>{{0, true, -1}, {1, true, 1}, {2, true, -1}, {3, true, -1}, {4, true, 0}, {5, true, -1}}));
}

TEST("rows of a later chunk count from its own first token") {
  const Texts chunk{kIds, std::span(kOffsets).subspan(1)};
  EXPECT(Rows(chunk, PositionKind::kLast, false, kColumns) == (std::vector<Row>{{0, true, -1}, {2, true, -1}}));
  EXPECT(Rows(chunk, PositionKind::kAll, true, kColumns) == (std::vector<Row>{{0, true, -1}, {1, true, 0}, {2, true, -1}}));
}

}  // namespace
}  // namespace flab
