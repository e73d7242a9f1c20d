// Divergences against sums in long doubles.

#include "cpu/divergence.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/testing.h"

namespace flab {
namespace {

using testing::Random;

struct Rows {
  std::vector<float> l, s;  // logits of the reference and of the candidate
  int64_t size() const { return static_cast<int64_t>(l.size()); }
};

long double LogSumExpOf(const std::vector<float>& logits) {
  long double max = -INFINITY, sum = 0;
  for (const float logit : logits) max = std::max<long double>(max, logit);
  for (const float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

// sum p (e^x - 1 - x), x = log q - log p: terms of one sign, so that nothing cancels.
double Reference(const Rows& rows) {
  const long double lse_l = LogSumExpOf(rows.l), lse_s = LogSumExpOf(rows.s);
  long double divergence = 0;
  for (int64_t i = 0; i < rows.size(); ++i) {
    const long double log_p = rows.l[i] - lse_l, x = rows.s[i] - lse_s - log_p;
    divergence += std::exp(log_p) * (std::expm1(x) - x);
  }
  return static_cast<double>(divergence);
}

// Logits whose candidate is off by `noise`: the divergence is about noise^2 / 2.
Rows Near(Random& random, int64_t count, double noise, double offset = 0, double peak = 0) {
  Rows rows;
  for (int64_t i = 0; i < count; ++i) {
    const double logit = random.Normal() * 2 + (i == count / 3 ? peak : 0);
    rows.l.push_back(static_cast<float>(logit));
    rows.s.push_back(static_cast<float>(rows.l.back() + noise * random.Normal() + offset));
  }
  return rows;
}

using Tiling = std::vector<int64_t>;

Tiling Even(int64_t count, int64_t tile) {
  Tiling tiles(count / tile, tile);
  if (count % tile) tiles.push_back(count % tile);
  return tiles;
}

Tiling Uneven(Random& random, int64_t count) {
  Tiling tiles;
  while (count > 0) {
    const int64_t tile = std::min(count, random.Below(3) == 0 ? random.Below(4) : random.Below(700));  // empty ones too
    tiles.push_back(tile);
    count -= tile;
  }
  return tiles;
}

DivergenceSums SumTiles(const Rows& rows, const Tiling& tiles) {
  DivergenceSums sums;
  int64_t begin = 0;
  for (const int64_t tile : tiles) {
    ActiveKernels().divergence_tile(Dtype::kF32, rows.l.data() + begin, rows.s.data() + begin, tile, sums);
    begin += tile;
  }
  return sums;
}

double Tiled(const Rows& rows, const Tiling& tiles) { return Divergence(SumTiles(rows, tiles)); }

// 1e-6: element work in f32 (2^-24 each, about 1e-7 after averaging), sums in doubles.
bool Agrees(double got, double expected) { return testing::Near(got, expected, 1e-6 * expected + 1e-16); }

TEST("divergences from 1 down to 1e-8 are those of long doubles, in every tiling") {
  Random random(1);
  for (const int64_t count : {211, 1024, 5003, 32003}) {
    for (const double noise : {1.4, 0.14, 0.014, 1.4e-3, 1.4e-4}) {
      const Rows rows = Near(random, count, noise);
      const double expected = Reference(rows);
      for (const Tiling& tiles : {Even(count, count), Even(count, 1024), Even(count, 2048), Even(count, 100), Uneven(random, count)}) {
        const double got = Tiled(rows, tiles);
        EXPECT(Agrees(got, expected), count, " logits in ", tiles.size(), " tiles: ", got, ", expected ", expected, ", off by ", got / expected - 1);
      }
    }
  }
}

TEST("an offset common to all logits of the candidate costs no digits") {
  Random random(2);
  for (const double offset : {0.3, -7., 40., -500., 3000.}) {
    for (const double noise : {0.5, 0.05}) {
      const Rows rows = Near(random, 4099, noise, offset);
      const double expected = Reference(rows), got = Tiled(rows, Even(4099, 1024));
      EXPECT(Agrees(got, expected), "offset ", offset, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
    }
  }
}

TEST("peaked references keep their digits, wherever the peak is") {
  Random random(3);
  for (const double peak : {10., 25., 60.}) {
    for (const double noise : {1., 0.1, 0.01}) {
      const Rows rows = Near(random, 3001, noise, 0.1, peak);
      const double expected = Reference(rows);
      for (const Tiling& tiles : {Even(3001, 3001), Even(3001, 1024), Even(3001, 64), Uneven(random, 3001)}) {
        const double got = Tiled(rows, tiles);
        // The divergence of a peak of all the weight is that of what little is left: differences of f32 logits near
        // the peak are good to 2^-24 of the logit.
        EXPECT(testing::Near(got, expected, 2e-6 * expected + 1e-14), "peak ", peak, ", noise ", noise, ": ", got, ", expected ", expected);
      }
    }
  }
}

TEST("a candidate that puts its weight elsewhere is far, and precisely so") {
  Random random(4);
  for (const double noise : {3., 6., 10., 20.}) {
    const Rows rows = Near(random, 2047, noise);
    const double expected = Reference(rows);
    for (const Tiling& tiles : {Even(2047, 2047), Even(2047, 512), Uneven(random, 2047)}) {
      const double got = Tiled(rows, tiles);
      EXPECT(testing::Near(got, expected, 2e-6 * expected), "noise ", noise, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
    }
  }
}

// Logits that rise or fall along the row, a class of tokens that the candidate shifts, another temperature, and up to
// three peaks on top that the candidate has too, exactly or not.
Rows Structured(uint32_t seed) {
  Random random(seed);
  const int64_t count = 1 + random.Below(3000), kind = random.Below(6), peaks = random.Below(4), border = random.Below(count);
  const double size = std::pow(10, random.Signed()), noise = std::pow(10, -3 + 3.5 * random.Signed()), shift = 3 * noise * random.Normal();
  const double offset = random.Below(3) == 0 ? 50 * random.Normal() : 0;
  Rows rows{std::vector<float>(count), std::vector<float>(count)};
  for (int64_t i = 0; i < count; ++i) {
    const double slope = 20 * static_cast<double>(i) / static_cast<double>(count);
    double logit = size * random.Normal() + (kind == 1 ? slope : kind == 2 ? -slope : 0) - (kind == 3 && i < border ? 15 : 0);
    double change = noise * random.Normal() + ((kind == 3 || kind == 4) && i < border ? shift : 0);
    if (kind == 5) change = -logit * noise;
    rows.l[i] = static_cast<float>(logit);
    rows.s[i] = static_cast<float>(rows.l[i] + change + offset);
  }
  for (int64_t peak = 0; peak < peaks; ++peak) {
    const int64_t i = random.Below(count);
    const double height = random.Below(2) ? 30 + 30 * random.Signed() : 10 + 5 * random.Normal();
    rows.l[i] += static_cast<float>(height);
    rows.s[i] += static_cast<float>(height + (random.Below(2) ? noise * random.Normal() : 0));
  }
  return rows;
}

TEST("divergences above 1e-7 are good to 1e-5 in every regime, wherever tiles end") {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    const Rows rows = Structured(seed);
    const double expected = Reference(rows);
    for (const int64_t tile : {100, 1024, 2048}) {
      const DivergenceSums sums = SumTiles(rows, Even(rows.size(), tile));
      const double got = Divergence(sums);
      // Where the sums say that they are far, whole rows are computed again in doubles (RowDivergence).
      const double tolerance = sums.far ? 1e-3 : 1e-5;
      EXPECT(testing::Near(got, expected, tolerance * expected + 1e-12), "seed ", seed, ", ", rows.size(), " logits in tiles of ", tile, ": ", got,
             ", expected ", expected, ", off by ", got / expected - 1);
    }
  }
}

TEST("equal rows, and rows that differ by a constant, diverge by nothing") {
  Random random(5);
  for (const int64_t count : {1, 2, 15, 16, 17, 1000}) {
    const Rows same = Near(random, count, 0);
    EXPECT(Tiled(same, Even(count, count)) == 0, count);
    Rows shifted = same;
    for (float& logit : shifted.l) logit = std::round(logit * 64) / 64;  // so that adding 3 is exact
    shifted.s = shifted.l;
    for (float& logit : shifted.s) logit += 3;
    EXPECT(Tiled(shifted, Even(count, 7)) <= 1e-15, count, ": ", Tiled(shifted, Even(count, 7)));
  }
}

TEST("a divergence is never negative") {
  Random random(6);
  for (int i = 0; i < 300; ++i) {
    const Rows rows = Near(random, 1 + random.Below(60), std::pow(10, -random.Below(9)));
    EXPECT(Tiled(rows, Uneven(random, rows.size())) >= 0);
  }
}

TEST("short rows, one logit included") {
  Random random(7);
  for (int64_t count = 1; count <= 70; ++count) {
    const Rows rows = Near(random, count, 0.3);
    const double expected = Reference(rows), got = Tiled(rows, Even(count, count));
    EXPECT(testing::Near(got, expected, 2e-6 * expected + 1e-14), count, " logits: ", got, ", expected ", expected);
  }
}

TEST("no logits at all diverge by nothing") {
  EXPECT(Divergence(DivergenceSums{}) == 0);
  DivergenceSums sums;
  ActiveKernels().divergence_tile(Dtype::kF32, nullptr, nullptr, 0, sums);
  EXPECT(sums.w == 0);
  LogSumExp none;
  ActiveKernels().log_sum_exp_tile(nullptr, 0, none);
  EXPECT(none.sum == 0);
}

TEST("NaN in a tile makes the divergence NaN") {
  Random random(8);
  for (const bool in_candidate : {false, true}) {
    Rows rows = Near(random, 100, 0.1);
    (in_candidate ? rows.s : rows.l)[57] = NAN;
    EXPECT(std::isnan(Tiled(rows, Even(100, 32))));
  }
}

TEST("rows of tensors in any dtype diverge as their values do") {
  Random random(9);
  constexpr int64_t kRowsHere = 3, kColumns = 4500;  // three tiles of the kernel's
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kF16}) {
    std::vector<std::byte> memory[2];
    for (auto& bytes : memory) {
      bytes.resize(kRowsHere * kColumns * ItemBytes(dtype));
      for (int64_t i = 0; i < kRowsHere * kColumns; ++i) {
        const float value = static_cast<float>(random.Normal());
        const uint16_t half = dtype == Dtype::kBF16 ? ToBF16(value) : static_cast<uint16_t>(0x3000 + random.Below(0x1000));
        std::memcpy(bytes.data() + i * ItemBytes(dtype), dtype == Dtype::kF32 ? static_cast<const void*>(&value) : &half, ItemBytes(dtype));
      }
    }
    const Tensor p{memory[0].data(), dtype, kRowsHere, kColumns, nullptr, "p"}, q{memory[1].data(), dtype, kRowsHere, kColumns, nullptr, "q"};
    const std::vector<float> all_p = ToFloats(p), all_q = ToFloats(q);
    for (int64_t row = 0; row < kRowsHere; ++row) {
      const auto part = [&](const std::vector<float>& all) { return std::vector<float>(all.begin() + row * kColumns, all.begin() + (row + 1) * kColumns); };
      const double expected = Reference({part(all_p), part(all_q)}), got = RowDivergence(ActiveKernels(), p, q, row);
      EXPECT(Agrees(got, expected), got, ", expected ", expected);
    }
  }
}

// The bytes of `values` rounded to a dtype, from an odd address on; `values` become what was rounded to.
std::vector<std::byte> Rounded(Dtype dtype, std::vector<float>& values) {
  std::vector<std::byte> bytes(1 + values.size() * ItemBytes(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &values[i], 4);
    // Halves of normal size, truncated: any half is as good as the nearest here.
    const uint16_t f16 = static_cast<uint16_t>((bits >> 16 & 0x8000) | (((bits & 0x7fffffff) >> 13) - (112 << 10)));
    const uint16_t half = dtype == Dtype::kBF16 ? ToBF16(values[i]) : std::fabs(values[i]) < 1e-4 ? 0 : f16;
    std::memcpy(&bytes[1 + i * ItemBytes(dtype)], dtype == Dtype::kF32 ? static_cast<const void*>(&values[i]) : &half, ItemBytes(dtype));
    if (dtype != Dtype::kF32) values[i] = dtype == Dtype::kBF16 ? FromBF16(half) : FromF16(half);
  }
  return bytes;
}

TEST("rows of two dtypes diverge as their values do") {
  Random random(11);
  constexpr Dtype kDtypes[] = {Dtype::kF32, Dtype::kBF16, Dtype::kF16};
  for (const Dtype of_p : kDtypes) {
    for (const Dtype of_q : kDtypes) {
      Rows rows = Near(random, 9001, 0.2, 0.4);
      const auto p = Rounded(of_p, rows.l), q = Rounded(of_q, rows.s);
      const double expected = Reference(rows);
      const double got = RowDivergence(ActiveKernels(), {p.data() + 1, of_p, 1, rows.size(), nullptr, "p"}, {q.data() + 1, of_q, 1, rows.size(), nullptr, "q"}, 0);
      EXPECT(Agrees(got, expected), got, ", expected ", expected);
    }
  }
}

TEST("a tile of halves has the sums of its values, to the bit, whatever halves they are") {
  for (const Dtype dtype : {Dtype::kF16, Dtype::kBF16}) {
    for (int64_t first = 0; first < 1 << 16; first += 61) {
      // Every half once as a logit of each side, next to one of the same size.
      const int64_t count = std::min<int64_t>(61, (1 << 16) - first);
      Rows rows{std::vector<float>(count), std::vector<float>(count)};
      std::vector<std::byte> p(1 + 2 * count), q(1 + 2 * count);
      bool finite = true;
      for (int64_t i = 0; i < count; ++i) {
        const uint16_t l = static_cast<uint16_t>(first + i), s = static_cast<uint16_t>(first + count - 1 - i);
        std::memcpy(&p[1 + 2 * i], &l, 2);
        std::memcpy(&q[1 + 2 * i], &s, 2);
        rows.l[i] = dtype == Dtype::kF16 ? FromF16(l) : FromBF16(l);
        rows.s[i] = dtype == Dtype::kF16 ? FromF16(s) : FromBF16(s);
        finite = finite && std::isfinite(rows.l[i]);
      }
      DivergenceSums sums;
      ActiveKernels().divergence_tile(dtype, p.data() + 1, q.data() + 1, count, sums);
      const DivergenceSums expected = SumTiles(rows, {count});
      if (!finite) {
        EXPECT(!std::isfinite(sums.d), "from half ", first);
      } else if (std::isfinite(expected.d)) {  // differences may overflow
        EXPECT(sums.max == expected.max && sums.guess == expected.guess && sums.w == expected.w && sums.d == expected.d && sums.g == expected.g,
               "from half ", first, ": d ", sums.d, ", expected ", expected.d);
      }
    }
  }
}

TEST("a peak of all the weight that moves by itself leaves the digits of the rest") {
  Random random(13);
  for (const double moves : {-4., -1.9, -0.5, 0.5, 1., 1.9, 4.}) {
    for (const double noise : {0.01, 1.}) {
      Rows rows = Near(random, 3000, noise, 20, 20);
      rows.s[1000] += static_cast<float>(moves);
      const double expected = Reference(rows);
      for (const int64_t tile : {100, 1024, 3000}) {
        const double got = Tiled(rows, Even(3000, tile));
        EXPECT(testing::Near(got, expected, 5e-6 * expected), "moves ", moves, ", noise ", noise, ", tiles of ", tile, ": ", got, ", expected ", expected,
               ", off by ", got / expected - 1);
      }
    }
  }
}

TEST("first logits that are unlike all others mislead nobody") {
  Random random(12);
  for (const int64_t odd : {1, 100, 128, 700}) {
    for (const double height : {-200., -30., 5., 12., 40.}) {
      for (const double shift : {-70., -3., 0.1, 20.}) {
        for (const double noise : {1e-3, 0.3}) {
          Rows rows = Near(random, 6000, noise, 0.2);
          for (int64_t i = 0; i < odd; ++i) {
            rows.l[i] += static_cast<float>(height);
            rows.s[i] += static_cast<float>(height + shift);
          }
          const double expected = Reference(rows);
          for (const int64_t tile : {100, 1024, 4096, 6000}) {
            const DivergenceSums sums = SumTiles(rows, Even(6000, tile));
            const double got = Divergence(sums);
            EXPECT(sums.far || testing::Near(got, expected, 5e-6 * expected + 1e-14), odd, " logits higher by ", height, ", shifted by ", shift, ", noise ", noise,
                   ", tiles of ", tile, ": ", got, ", expected ", expected, ", off by ", got / expected - 1);
          }
        }
      }
    }
  }
}

TEST("excluded tokens and absurd logits are computed exactly") {
  const auto divergence = [](std::vector<float> l, std::vector<float> s) {
    const int64_t count = static_cast<int64_t>(l.size());
    const Tensor p{reinterpret_cast<const std::byte*>(l.data()), Dtype::kF32, 1, count, nullptr, "p"};
    const Tensor q{reinterpret_cast<const std::byte*>(s.data()), Dtype::kF32, 1, count, nullptr, "q"};
    return RowDivergence(ActiveKernels(), p, q, 0);
  };
  const float none = -INFINITY;
  EXPECT(divergence({1, 2, 3}, {1, none, 3}) == INFINITY);
  // P excludes the middle token: KL = sum of the other two's p (log p - log q).
  const double expected = Reference({{1, 3}, {1, 3}}) + std::log(std::exp(1.) + std::exp(2.) + std::exp(3.)) - std::log(std::exp(1.) + std::exp(3.));
  EXPECT(testing::Near(divergence({1, none, 3}, {1, 2, 3}), expected, 1e-12), divergence({1, none, 3}, {1, 2, 3}), ", expected ", expected);
  EXPECT(std::isnan(divergence({1, NAN, 3}, {1, 2, 3})));
  EXPECT(std::isnan(divergence({1, 2, 3}, {1, NAN, 3})));
  const Rows far{{0, 0, 500}, {0, 400, -300}};
  EXPECT(testing::Near(divergence(far.l, far.s), 700, 1e-3), divergence(far.l, far.s));
  const Rows flipped{{0, -200}, {-200, 0}};
  EXPECT(testing::Near(divergence(flipped.l, flipped.s), 200, 1e-3), divergence(flipped.l, flipped.s));
}

TEST("log_sum_exp is that of long doubles, in every tiling") {
  Random random(10);
  for (const int64_t count : {1, 3, 16, 17, 1000, 32003}) {
    for (const double size : {0.1, 5., 40.}) {
      std::vector<float> logits = random.Normals(count, size);
      const double expected = static_cast<double>(LogSumExpOf(logits));
      for (const Tiling& tiles : {Even(count, count), Even(count, 1024), Uneven(random, count)}) {
        LogSumExp sums;
        int64_t begin = 0;
        for (const int64_t tile : tiles) {
          ActiveKernels().log_sum_exp_tile(logits.data() + begin, tile, sums);
          begin += tile;
        }
        const double got = sums.max + std::log(sums.sum);
        EXPECT(testing::Near(got, expected, 1e-6), count, " logits of size ", size, ": ", got, ", expected ", expected);
      }
    }
  }
}

}  // namespace
}  // namespace flab
