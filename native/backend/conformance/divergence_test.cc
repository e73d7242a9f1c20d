// KL divergences against sums in long doubles, in every shape that pieces and tiles can have.

#include "cpu/divergence.h"

#include <algorithm>
#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

using testing::Random;

// 3e-6: a weight is off by 2^-22 (the exponential) and by 2^-24 of its power of two, a sum of a piece by 12 roundings of 2^-24, and
// both are there twice, in G and in W: 2.1e-6 together. e^d - 1 - d is off by 1.7e-7 and d, of which the square is taken, by 2^-24 twice.
constexpr double kTolerance = 3e-6;

bool Agrees(double got, double expected) { return testing::Near(got, expected, kTolerance * expected + 1e-16); }

using Row = std::vector<float>;

long double LogSumExpOf(const Row& logits) {
  long double max = -INFINITY, sum = 0;
  for (const float logit : logits) max = std::max<long double>(max, logit);
  for (const float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

// sum p (e^x - 1 - x), x = log q - log p: terms of one sign, so that nothing cancels.
double Reference(const Row& l, const Row& s) {
  const long double lse_l = LogSumExpOf(l), lse_s = LogSumExpOf(s);
  long double divergence = 0;
  for (size_t i = 0; i < l.size(); ++i) {
    const long double log_p = l[i] - lse_l, x = s[i] - lse_s - log_p;
    divergence += std::exp(log_p) * (std::expm1(x) - x);
  }
  return static_cast<double>(divergence);
}

// Logits with a peak at a third of the row.
Row Logits(Random& random, int64_t count, double peak = 0) {
  Row row = random.Normals(count, 2);
  if (count > 0) row[count / 3] += static_cast<float>(peak);
  return row;
}

// Logits that are off by `noise`: the divergence is about noise^2 / 2.
Row Near(Random& random, const Row& l, double noise, double offset = 0) {
  Row row;
  for (const float logit : l) row.push_back(static_cast<float>(logit + noise * random.Normal() + offset));
  return row;
}

std::vector<double> Finish(const Memory& pieces, int64_t row_pieces, int64_t count) {
  const Memory divergences(count * 8);
  Expect(Backend().divergence_finish(Device(), pieces.as<FlabPieceSums>(), row_pieces, count, divergences.as<double>()), "divergence_finish");
  return FromDevice<double>(divergences.data(), count);
}

int64_t PiecesOf(int64_t columns) { return (columns + FLAB_PIECE - 1) / FLAB_PIECE; }

struct Tiles {
  int64_t columns;              // of a tile, a multiple of FLAB_PIECE; the last one has what is left
  int64_t positions = 1000;     // of a tile at most
  int64_t gap = 0, shift = 0;   // columns of NaN between rows; numbers from aligned memory to the first row
};

// Divergences of [positions, group - 1] candidates: of `rows` each group is a reference and its candidates.
std::vector<double> InTiles(const std::vector<Row>& rows, int64_t group, const Tiles& tiles) {
  const int64_t columns = static_cast<int64_t>(rows[0].size()), all = static_cast<int64_t>(rows.size()) / group, count = all * (group - 1);
  const Memory pieces(PiecesOf(columns) * count * static_cast<int64_t>(sizeof(FlabPieceSums)));
  for (int64_t first = 0; first < all; first += tiles.positions) {
    const int64_t positions = std::min(tiles.positions, all - first);
    for (int64_t begin = 0; begin < columns; begin += tiles.columns) {
      const int64_t width = std::min(tiles.columns, columns - begin), stride = width + tiles.gap;
      std::vector<float> logits(tiles.shift + positions * group * stride, NAN);
      for (int64_t i = 0; i < positions * group; ++i) std::copy_n(&rows[first * group + i][begin], width, &logits[tiles.shift + i * stride]);
      const Memory memory = ToDevice(logits);
      const FlabDivergenceTile call{memory.as<float>() + tiles.shift, pieces.as<FlabPieceSums>(), positions, group, width, stride, begin / FLAB_PIECE, first, all};
      Expect(Backend().divergence_tile(Device(), &call), "divergence_tile");
    }
  }
  return Finish(pieces, PiecesOf(columns), count);
}

// Of one candidate.
double InOneTile(const Row& l, const Row& s) { return InTiles({l, s}, 2, {.columns = 1 << 20})[0]; }

std::vector<double> OfMatrices(const Numbers& p, const Numbers& q, int64_t rows, int64_t shift_p = 0, int64_t shift_q = 0) {
  const auto shifted = [](const Numbers& numbers, int64_t shift) {
    std::vector<std::byte> bytes(shift);
    bytes.insert(bytes.end(), numbers.bytes.begin(), numbers.bytes.end());
    return ToDevice(bytes);
  };
  const int64_t columns = static_cast<int64_t>(p.values.size()) / rows;
  const Memory device_p = shifted(p, shift_p), device_q = shifted(q, shift_q), pieces(PiecesOf(columns) * rows * static_cast<int64_t>(sizeof(FlabPieceSums)));
  const FlabRowDivergence call{device_p.as<std::byte>() + shift_p, device_q.as<std::byte>() + shift_q, p.dtype, q.dtype, rows, columns, pieces.as<FlabPieceSums>()};
  Expect(Backend().row_divergence(Device(), &call), "row_divergence");
  return Finish(pieces, PiecesOf(columns), rows);
}

Row RowOf(const Numbers& numbers, int64_t row, int64_t columns) { return Row(numbers.values.begin() + row * columns, numbers.values.begin() + (row + 1) * columns); }

TEST("backend: divergences from 0.5 down to 4e-8 are those of long doubles, wherever pieces and tiles end") {
  Random random(1);
  for (const int64_t columns : {1, 2, 31, 33, 1000, 1023, 1024, 1025, 2048, 5003}) {
    for (const double noise : {1., 0.1, 0.01, 1e-3, 2.8e-4}) {
      const Row l = Logits(random, columns), s = Near(random, l, noise);
      const double expected = Reference(l, s);
      for (const int64_t tile : {FLAB_PIECE, 3 * FLAB_PIECE, 8 * FLAB_PIECE}) {
        const double got = InTiles({l, s}, 2, {.columns = tile})[0];
        EXPECT(Agrees(got, expected), columns, " columns in tiles of ", tile, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
      }
    }
  }
}

TEST("backend: divergences of groups of every size are those of their own candidates") {
  Random random(2);
  for (const int64_t group : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20}) {
    for (const int64_t positions : {1, 5}) {
      std::vector<Row> rows;
      for (int64_t position = 0; position < positions; ++position) {
        rows.push_back(Logits(random, 1500));
        for (int64_t i = 1; i < group; ++i) rows.push_back(Near(random, rows[position * group], 0.05 * static_cast<double>(i)));
      }
      const std::vector<double> results = InTiles(rows, group, {.columns = FLAB_PIECE, .positions = 2, .gap = 3});
      for (int64_t position = 0; position < positions; ++position) {
        for (int64_t i = 1; i < group; ++i) {
          const double got = results[position * (group - 1) + i - 1], expected = Reference(rows[position * group], rows[position * group + i]);
          EXPECT(Agrees(got, expected), "candidate ", i, " of ", group - 1, " at ", position, ": ", got, ", expected ", expected);
        }
      }
    }
  }
}

TEST("backend: divergences of so many candidates that a warp takes several are those of their own") {
  Random random(2);
  constexpr int64_t kGroup = 30, kPositions = 150;
  std::vector<Row> rows;
  for (int64_t i = 0; i < kPositions * kGroup; ++i) rows.push_back(i % kGroup == 0 ? Logits(random, 5) : Near(random, rows[i / kGroup * kGroup], 0.3));
  const std::vector<double> results = InTiles(rows, kGroup, {.columns = FLAB_PIECE});
  for (int64_t i = 0; i < kPositions * (kGroup - 1); ++i) {
    const int64_t reference = i / (kGroup - 1) * kGroup, candidate = reference + 1 + i % (kGroup - 1);
    const double got = results[i], expected = Reference(rows[reference], rows[candidate]);
    EXPECT(Agrees(got, expected), "row ", candidate, ": ", got, ", expected ", expected);
  }
}

TEST("backend: an offset common to all logits of the candidate costs no digits") {
  Random random(3);
  for (const double offset : {0.3, -7., 40., -300., 1000.}) {
    for (const double noise : {0.5, 0.05, 1e-3, 2.8e-4}) {
      const Row l = Logits(random, 2100), s = Near(random, l, noise, offset);
      const double expected = Reference(l, s), got = InOneTile(l, s);
      EXPECT(Agrees(got, expected), "offset ", offset, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
    }
  }
}

TEST("backend: logits that are all about 5000 cost no digits, in pieces of any weight") {
  Random random(3);
  for (const double noise : {0.3, 0.01}) {
    Row l = Logits(random, 3000);
    for (int64_t i = 0; i < 3000; ++i) l[i] += 5000 + static_cast<float>(i / FLAB_PIECE) * 1.3f;
    Row s = Near(random, l, noise, -7);
    const Row noisier = Near(random, l, 3 * noise, -7);
    std::copy(noisier.begin() + FLAB_PIECE, noisier.end(), s.begin() + FLAB_PIECE);
    const double expected = Reference(l, s), got = InOneTile(l, s);
    EXPECT(Agrees(got, expected), "noise ", noise, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
  }
}

TEST("backend: peaked references keep their digits, wherever the peak is") {
  Random random(4);
  for (const double peak : {10., 25., 60.}) {
    for (const double noise : {1., 0.1, 0.01}) {
      for (const int64_t columns : {700, 3001}) {
        const Row l = Logits(random, columns, peak), s = Near(random, l, noise, 0.1);
        const double expected = Reference(l, s), got = InOneTile(l, s);
        // What is left beside the peak decides, at about 1.5 peak powers of two below it.
        const double tolerance = kTolerance + 2 * 1.5 * peak * 0x1p-24;
        EXPECT(testing::Near(got, expected, tolerance * expected + 1e-16), "peak ", peak, ", noise ", noise, ": ", got, ", expected ", expected, ", off by ",
               got / expected - 1);
      }
    }
  }
}

TEST("backend: a peak that moves by itself leaves the digits of the rest, and pieces of little weight cost none") {
  Random random(5);
  for (const double moves : {-4., -0.5, 1., 4.}) {
    for (const double noise : {0.01, 1.}) {
      Row l = Logits(random, 3000, 20), s = Near(random, l, noise, 20);
      s[1000] += static_cast<float>(moves);
      for (int64_t i = 0; i < FLAB_PIECE; ++i) l[i] -= 30, s[i] -= 45;  // the first piece: next to nothing, and far off
      const double expected = Reference(l, s), got = InOneTile(l, s);
      EXPECT(Agrees(got, expected), "moves ", moves, ", noise ", noise, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
    }
  }
}

// Logits of the reference and of a candidate that are off by 0.1, with a peak for each at a place of its own.
Row Peaks(Random& random, Row& l, float height) {
  l = Logits(random, 1500);
  Row s = Near(random, l, 0.1);
  l[7] += height, s[1000] += height;
  return s;
}

TEST("backend: a candidate that puts its weight elsewhere is precise, however far that is from f32's numbers") {
  Random random(6);
  for (const double noise : {3., 6., 10.}) {
    const Row l = Logits(random, 2047), s = Near(random, l, noise);
    const double expected = Reference(l, s), got = InOneTile(l, s);
    // The power of two of e^d, 128 at most, is rounded once more.
    EXPECT(testing::Near(got, expected, (kTolerance + 128 * 0x1p-24) * expected), "noise ", noise, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
  }
}

// Rows where a token that the reference all but excludes decides: its weight e^-height is no number of f32's from 87.3 on, what it is
// to be multiplied by is none from 88.7 on, and their product may be anything.
struct Heights {
  double from, to, step;
};
constexpr Heights kHeights[] = {{20, 30, 5}, {40, 50, 0.5}, {84, 89.5, 0.125}, {90, 140, 5}, {250, 1000, 250}};

// What is to the power of 2 is the distance to the largest logit of the candidate, 26 where it is e^18; its rounding counts beside
// kTolerance, and G is about the divergence where that is some 1.
constexpr double kHighTolerance = 2 * kTolerance + 26 * 0x1p-24;

TEST("backend: a token that the reference all but excludes counts as the candidate says, at every height") {
  for (const Heights& heights : kHeights) {
    for (double height = heights.from; height <= heights.to; height += heights.step) {
      const float high = static_cast<float>(height);
      for (const float below : {-0.5f, 0.f, 3.f, 10.f, 18.f}) {
        for (const float level : {0.f, 5000.3f}) {  // of the reference alone: differences that f32 has to round
          const Row l{level + high, level}, s{high + 0.1f, high + 0.1f - below};
          const double expected = Reference(l, s), got = InOneTile(l, s);
          EXPECT(testing::Near(got, expected, kHighTolerance * expected + 1e-16), "height ", high, " over ", level, ", ", below, " below: ", got, ", expected ", expected,
                 ", off by ", got / expected - 1);
        }
      }
    }
  }
}

TEST("backend: a candidate with a peak of its own is precise at every height, among candidates without one") {
  Random random(7);
  Row l;
  for (const Heights& heights : kHeights) {
    for (double height = heights.from; height <= heights.to; height += heights.step) {
      const Row s = Peaks(random, l, static_cast<float>(height));
      const std::vector<double> got = InTiles({l, s, l, Near(random, l, 0.1)}, 4, {.columns = FLAB_PIECE});
      const double expected = Reference(l, s);
      EXPECT(testing::Near(got[0], expected, kHighTolerance * expected), "height ", height, ": ", got[0], ", expected ", expected, ", off by ", got[0] / expected - 1);
      EXPECT(got[1] == 0 && got[2] >= 0 && got[2] < 0.1, "height ", height, ": ", got[1], ", ", got[2]);
    }
  }
}

TEST("backend: where the candidate's peak is lower than the reference's, however high that is, next to nothing is next to nothing") {
  Random random(7);
  for (const double height : {60., 100., 120., 160.}) {
    Row l = random.Normals(1024), s = l;
    l[7] += static_cast<float>(height), s[7] += 45;
    const double expected = Reference(l, s), got = InOneTile(l, s);
    EXPECT(expected < 2e-16 && got < 1e-15, "height ", height, ": ", got, ", expected ", expected);
  }
}

TEST("backend: matrices of halves are precise where a token that the reference all but excludes decides") {
  for (const int32_t dtype : {FLAB_F16, FLAB_BF16, FLAB_F32}) {
    for (float height = 84; height <= 90; height += 0.5f) {
      const int64_t column = height < 87 ? 900 : 1200;  // of the first piece, or of the second
      Row l(1500), s(1500);
      l[3] = s[3] = height;
      s[column] = height - 1;
      const Numbers p = Round(l, dtype), q = Round(s, dtype);
      const double expected = Reference(RowOf(p, 0, 1500), RowOf(q, 0, 1500)), got = OfMatrices(p, q, 1)[0];
      EXPECT(testing::Near(got, expected, kHighTolerance * expected), "height ", height, " of dtype ", dtype, ": ", got, ", expected ", expected);
    }
  }
}

TEST("backend: pieces that are absurdly far apart are merged precisely") {
  Random random(7);
  for (const float height : {100.f, 350.f, 700.f, 3000.f}) {
    Row l = Logits(random, 3000), s = Near(random, l, 0.1);
    for (int64_t i = 0; i < FLAB_PIECE; ++i) l[i] += height, s[i] -= height;
    const double expected = Reference(l, s), got = InOneTile(l, s);
    EXPECT(Agrees(got, expected), "height ", height, ": ", got, ", expected ", expected);
  }
}

// The guess is off from the constant by its share of the roundings of two sums (12 each), a product and a quotient: d is as much, everywhere.
// Of d^2 / 2, what G and D are off by themselves remains: three times as many roundings, and 3.4e-7 of the series of e^d - 1 - d.
double OffByConstant(double constant) {
  const double roundings = 26 * 0x1p-24, d = constant * roundings;
  return d * d / 2 * (3 * roundings + 3.4e-7);
}

TEST("backend: equal rows diverge by nothing at all, and by next to nothing with a constant between them") {
  Random random(8);
  for (const int64_t columns : {1, 17, 1024, 3000}) {
    Row l = Logits(random, columns);
    EXPECT(InOneTile(l, l) == 0, columns);
    for (float& logit : l) logit = std::round(logit * 64) / 64;  // so that what is added changes no difference
    for (const float constant : {3.f, -1000.f}) {
      Row s = l;
      for (float& logit : s) logit += constant;
      EXPECT(InOneTile(l, s) <= OffByConstant(constant), columns, " columns, ", constant, ": ", InOneTile(l, s));
    }
  }
}

TEST("backend: few tokens that differ under a large offset keep their digits") {
  Random random(9);
  Row l = Logits(random, 2000);
  for (float& logit : l) logit = std::round(logit * 64) / 64;  // so that what is added changes no difference
  Row s = l;
  for (int64_t i = 100; i < 2000; i += 700) s[i] += 1.f / 64;
  const double expected = Reference(l, s);
  for (const float offset : {0.f, 4096.f}) {
    Row moved = s;
    for (float& logit : moved) logit += offset;
    const double got = InOneTile(l, moved);
    EXPECT(testing::Near(got, expected, kTolerance * expected), "offset ", offset, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
  }
}

TEST("backend: a divergence is never negative") {
  Random random(9);
  for (const int64_t columns : {1, 2, 300}) {
    std::vector<Row> rows{Logits(random, columns)};
    for (int i = 0; i < 60; ++i) rows.push_back(Near(random, rows[0], std::pow(10, -random.Below(9)), random.Normal() * std::pow(10, random.Below(5))));
    for (const double divergence : InTiles(rows, 61, {.columns = FLAB_PIECE})) EXPECT(divergence >= 0, divergence);
  }
}

TEST("backend: NaN and infinities make the divergence NaN, in whichever piece they are") {
  Random random(10);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const int64_t column : {0, 700, 1024, 2500}) {
      std::vector<Row> rows{Logits(random, 2501)};
      for (int i = 0; i < 3; ++i) rows.push_back(Near(random, rows[0], 0.1));
      std::vector<Row> in_candidate = rows, in_reference = rows;
      in_candidate[2][column] = bad;
      in_reference[0][column] = bad;
      const std::vector<double> candidate = InTiles(in_candidate, 4, {.columns = FLAB_PIECE}), reference = InTiles(in_reference, 4, {.columns = FLAB_PIECE});
      for (int64_t i = 0; i < 3; ++i) {
        EXPECT(std::isnan(candidate[i]) == (i == 1), bad, " at ", column, ": ", candidate[i]);
        EXPECT(std::isnan(reference[i]), bad, " at ", column, ": ", reference[i]);
      }
    }
  }
}

TEST("backend: the same logits give the same bits, however their rows lie in memory") {
  Random random(11);
  std::vector<Row> rows{Logits(random, 2600)};
  for (int i = 0; i < 3; ++i) rows.push_back(Near(random, rows[0], 0.1));
  const std::vector<double> expected = InTiles(rows, 4, {.columns = 8 * FLAB_PIECE});
  for (const int64_t tile : {FLAB_PIECE, 2 * FLAB_PIECE}) {
    for (const int64_t gap : {0, 1, 4}) {
      for (const int64_t shift : {0, 1, 4}) EXPECT(InTiles(rows, 4, {.columns = tile, .gap = gap, .shift = shift}) == expected, "tiles of ", tile, ", gap ", gap, ", shift ", shift);
    }
  }
}

constexpr int32_t kDtypes[] = {FLAB_F32, FLAB_F16, FLAB_BF16};

TEST("backend: rows of matrices of any two dtypes diverge as those of long doubles and of the CPU do") {
  Random random(12);
  for (const int32_t of_p : kDtypes) {
    for (const int32_t of_q : kDtypes) {
      for (const int64_t columns : {1, 1023, 2056, 4099}) {
        constexpr int64_t kRows = 3;
        const Row l = Logits(random, kRows * columns);
        const Numbers p = Round(l, of_p), q = Round(Near(random, l, 0.2, 0.4), of_q);
        const std::vector<double> results = OfMatrices(p, q, kRows);
        for (int64_t row = 0; row < kRows; ++row) {
          const double expected = Reference(RowOf(p, row, columns), RowOf(q, row, columns)), got = results[row];
          EXPECT(Agrees(got, expected), columns, " columns, row ", row, " of dtypes ", of_p, " and ", of_q, ": ", got, ", expected ", expected);
          const auto tensor = [&](const Numbers& numbers) { return Tensor{numbers.bytes.data(), static_cast<Dtype>(numbers.dtype), kRows, columns, nullptr, ""}; };
          const double cpu = RowDivergence(ActiveKernels(), tensor(p), tensor(q), row);
          EXPECT(testing::Near(got, cpu, (kTolerance + 1e-6) * expected + 1e-16), columns, " columns, row ", row, ": ", got, ", on the CPU ", cpu);
        }
      }
    }
  }
}

TEST("backend: halves of which few differ, by their last bit, diverge to all digits") {
  Random random(13);
  for (const int32_t dtype : {FLAB_F16, FLAB_BF16}) {
    const Numbers p = Round(Logits(random, 6000), dtype);
    for (const int64_t every : {20, 2000}) {
      Row moved(p.values.begin(), p.values.end());
      for (size_t i = 0; i < moved.size(); i += every) moved[i] *= dtype == FLAB_BF16 ? 1 + 0x1p-7f : 1 + 0x1p-10f;
      const Numbers q = Round(moved, dtype);
      const double expected = Reference(RowOf(p, 0, 6000), RowOf(q, 0, 6000)), got = OfMatrices(p, q, 1)[0];
      EXPECT(expected < 1e-4 && Agrees(got, expected), got, ", expected ", expected, ", off by ", got / expected - 1);
    }
  }
}

TEST("backend: rows of matrices give the same bits at every alignment") {
  Random random(14);
  for (const int32_t of_p : kDtypes) {
    for (const int32_t of_q : kDtypes) {
      const Row l = Logits(random, 2 * 2064);
      const Numbers p = Round(l, of_p), q = Round(Near(random, l, 0.2), of_q);
      const std::vector<double> expected = OfMatrices(p, q, 2);
      EXPECT(OfMatrices(p, q, 2, 4, 0) == expected);
      EXPECT(OfMatrices(p, q, 2, 0, of_q == FLAB_F32 ? 4 : 2) == expected);
    }
  }
}

TEST("backend: divergences of nothing are legal") {
  const Memory memory(64);
  const FlabDivergenceTile tile{memory.as<float>(), memory.as<FlabPieceSums>(), 0, 2, 4, 4, 0, 0, 0};
  const FlabDivergenceTile narrow{memory.as<float>(), memory.as<FlabPieceSums>(), 1, 2, 0, 0, 0, 0, 1};
  Expect(Backend().divergence_tile(Device(), &tile), "divergence_tile");
  Expect(Backend().divergence_tile(Device(), &narrow), "divergence_tile");
  const FlabRowDivergence rows{memory.data(), memory.data(), FLAB_F32, FLAB_F32, 0, 4, memory.as<FlabPieceSums>()};
  Expect(Backend().row_divergence(Device(), &rows), "row_divergence");
  Expect(Backend().divergence_finish(Device(), memory.as<FlabPieceSums>(), 1, 0, memory.as<double>()), "divergence_finish");
  Expect(Backend().divergence_finish(Device(), memory.as<FlabPieceSums>(), 0, 1, memory.as<double>()), "divergence_finish");
  EXPECT(FromDevice<double>(memory.data(), 1)[0] == 0, "rows of no columns");
}

}  // namespace
}  // namespace flab::conformance
