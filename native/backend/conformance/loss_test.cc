#include <algorithm>
#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

using testing::Random;

using Row = std::vector<float>;

// log(sum e^l) - l[target], in long doubles.
double Reference(const Row& logits, int64_t target) {
  long double max = -INFINITY, sum = 0;
  for (const float logit : logits) max = std::max<long double>(max, logit);
  for (const float logit : logits) sum += std::exp(logit - max);
  return static_cast<double>(max + std::log(sum) - logits[target]);
}

int64_t PiecesOf(int64_t columns) { return (columns + FLAB_PIECE - 1) / FLAB_PIECE; }

struct Shape {
  int64_t group, tile;             // a tile has `tile` columns, a multiple of FLAB_PIECE, and the last one what is left
  int64_t positions = 1000;        // of a tile at most
  int64_t gap = 0, shift = 0;      // columns of NaN between rows; numbers from aligned memory to the first row
};

// Losses of [positions, group] rows.
std::vector<double> Losses(const std::vector<Row>& rows, const std::vector<int32_t>& targets, const Shape& shape) {
  const int64_t columns = static_cast<int64_t>(rows[0].size()), count = static_cast<int64_t>(rows.size()), all = static_cast<int64_t>(targets.size());
  const Memory pieces = ToDevice(std::vector<FlabLossPiece>(PiecesOf(columns) * count, {1, 1})), device_targets = ToDevice(targets),
               target_logits = ToDevice(std::vector<float>(count, 1)), losses(count * 8);
  for (int64_t first = 0; first < all; first += shape.positions) {
    const int64_t positions = std::min(shape.positions, all - first);
    for (int64_t begin = 0; begin < columns; begin += shape.tile) {
      const int64_t width = std::min(shape.tile, columns - begin), stride = width + shape.gap;
      std::vector<float> logits(shape.shift + positions * shape.group * stride, NAN);
      for (int64_t i = 0; i < positions * shape.group; ++i) std::copy_n(&rows[first * shape.group + i][begin], width, &logits[shape.shift + i * stride]);
      const Memory memory = ToDevice(logits);
      const FlabLossTile call{memory.as<float>() + shape.shift, device_targets.as<int32_t>(), pieces.as<FlabLossPiece>(), target_logits.as<float>(), positions,
                              shape.group, width, stride, begin / FLAB_PIECE, first, all};
      Expect(Backend().loss_tile(Device(), &call), "loss_tile");
    }
  }
  Expect(Backend().loss_finish(Device(), pieces.as<FlabLossPiece>(), PiecesOf(columns), target_logits.as<float>(), count, losses.as<double>()), "loss_finish");
  return FromDevice<double>(losses.data(), count);
}

// The sum's relative error is the loss's absolute one: 2^-22 of the exponential, 2^-24 of the power of two of tokens that count, below
// 2^-32 of the largest, and 12 roundings of 2^-24.
constexpr double kTolerance = 0x1p-22 + 32 * 0x1p-24 + 12 * 0x1p-24;

void Check(int64_t positions, int64_t columns, const Shape& shape, double peak = 0) {
  Random random(1);
  std::vector<Row> rows;
  std::vector<int32_t> targets;
  for (int64_t i = 0; i < positions; ++i) {
    // Every third position has no target; the others have columns at the ends of pieces, too.
    targets.push_back(static_cast<int32_t>(i % 3 == 2 ? -1 : i % 3 == 1 ? std::max<int64_t>(0, columns / FLAB_PIECE * FLAB_PIECE - 1) : random.Below(columns)));
    for (int64_t j = 0; j < shape.group; ++j) {
      rows.push_back(random.Normals(columns, 4));
      rows.back()[random.Below(columns)] += static_cast<float>(peak);
    }
  }
  const std::vector<double> losses = Losses(rows, targets, shape);
  for (int64_t i = 0; i < positions * shape.group; ++i) {
    const int32_t target = targets[i / shape.group];
    if (target < 0) {
      EXPECT(std::isnan(losses[i]), "row ", i, " without a target: ", losses[i]);
      continue;
    }
    const double expected = Reference(rows[i], target);
    EXPECT(testing::Near(losses[i], expected, kTolerance), columns, " columns, group ", shape.group, ", row ", i, ": ", losses[i], ", expected ", expected);
  }
}

TEST("backend: losses are those of long doubles, wherever pieces, tiles and targets are") {
  for (const int64_t columns : {1, 7, 1023, 1024, 1025, 4100}) {
    for (const int64_t tile : {FLAB_PIECE, 3 * FLAB_PIECE, 8 * FLAB_PIECE}) Check(3, columns, {.group = 2, .tile = tile});
  }
  for (const int64_t group : {1, 5}) Check(4, 2050, {.group = group, .tile = 2 * FLAB_PIECE, .gap = 3, .shift = 1});
  Check(3, 2050, {.group = 2, .tile = FLAB_PIECE}, 80);
  Check(7, 1500, {.group = 3, .tile = FLAB_PIECE, .positions = 2});
}

TEST("backend: a token that the model excludes takes no part in a loss, nor do pieces of them, and NaN stays NaN") {
  Random random(2);
  Row row = random.Normals(3000);
  for (float& logit : row) logit -= 2000;
  for (int64_t i = 0; i < FLAB_PIECE; ++i) row[i] = -INFINITY;  // a piece
  row[2500] = -INFINITY;
  const double expected = Reference(row, 1500), got = Losses({row}, {1500}, {.group = 1, .tile = FLAB_PIECE})[0];
  EXPECT(testing::Near(got, expected, kTolerance), got, ", expected ", expected);
  EXPECT(Losses({row}, {2500}, {.group = 1, .tile = FLAB_PIECE})[0] == INFINITY);
  for (const int64_t column : {10, 2999}) {
    row[column] = NAN;
    EXPECT(std::isnan(Losses({row}, {1500}, {.group = 1, .tile = FLAB_PIECE})[0]), "NaN at ", column);
    row[column] = -2000;
  }
}

TEST("backend: losses of nothing are legal") {
  const Memory memory(64);
  const FlabLossTile none{memory.as<float>(), memory.as<int32_t>(), memory.as<FlabLossPiece>(), memory.as<float>(), 0, 2, 4, 4, 0, 0, 0};
  Expect(Backend().loss_tile(Device(), &none), "loss_tile");
  Expect(Backend().loss_finish(Device(), memory.as<FlabLossPiece>(), 1, memory.as<float>(), 0, memory.as<double>()), "loss_finish");
}

}  // namespace
}  // namespace flab::conformance
