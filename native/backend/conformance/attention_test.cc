#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

enum class Kind {
  kOrdinary,
  kPeaked,  // of each query's scores one is larger than all others, mostly by 80 and more
  kEqual    // all scores are the same
};

struct Case {
  std::vector<int32_t> lengths;  // of texts
  int32_t query_heads, kv_heads, width;
  int32_t window = 0;
  int64_t states = 1;
  Kind kind = Kind::kOrdinary;
  bool last_only = false;
  int64_t offset = 0;  // elements between what memory is aligned to and the matrices

  int64_t row_width() const { return static_cast<int64_t>(query_heads + 2 * kv_heads) * width; }
  int64_t out_width() const { return static_cast<int64_t>(query_heads) * width; }
  float scale() const { return 1 / std::sqrt(static_cast<float>(width)); }
  int32_t first_seen(int32_t query) const { return window > 0 ? std::max(0, query - window + 1) : 0; }
  // Before each text lies a row of NaN, and after the last.
  std::vector<int32_t> first_rows() const {
    std::vector<int32_t> rows{1};
    for (const int32_t length : lengths) rows.push_back(rows.back() + length + 1);
    return rows;
  }
  int64_t state_rows() const { return first_rows().back(); }
};

constexpr float kUntouched = 42;

// Where head `head` of a row's heads of queries, then keys, then values begins.
int64_t Place(const Case& c, int64_t state, int64_t row, int32_t head) { return (state * c.state_rows() + row) * c.row_width() + head * c.width; }

void MakePeaked(const Case& c, testing::Random& random, int64_t state, int32_t first_row, int32_t query, std::vector<float>& qkv) {
  const int32_t first = c.first_seen(query), target = first + static_cast<int32_t>(random.Below(query - first + 1));
  for (int32_t head = 0; head < c.query_heads; ++head) {
    const int32_t kv_head = head / (c.query_heads / c.kv_heads);
    const float* key = &qkv[Place(c, state, first_row + target, c.query_heads + kv_head)];
    // A score with itself is about sqrt(E) times as large as one with another.
    for (int32_t e = 0; e < c.width; ++e) qkv[Place(c, state, first_row + query, head) + e] = 30 * key[e];
  }
}

std::vector<float> MakeInput(const Case& c) {
  testing::Random random(7);
  std::vector<float> qkv(c.states * c.state_rows() * c.row_width(), std::numeric_limits<float>::quiet_NaN());
  const std::vector<int32_t> first_rows = c.first_rows();
  for (int64_t state = 0; state < c.states; ++state) {
    for (size_t text = 0; text < c.lengths.size(); ++text) {
      for (int32_t row = first_rows[text]; row < first_rows[text] + c.lengths[text]; ++row) {
        for (int64_t i = 0; i < c.row_width(); ++i) qkv[Place(c, state, row, 0) + i] = static_cast<float>(random.Normal());
        const int64_t keys = Place(c, state, row, c.query_heads);
        if (c.kind == Kind::kEqual) std::fill_n(&qkv[keys], c.kv_heads * c.width, 0.75f);
      }
      for (int32_t query = 0; c.kind == Kind::kPeaked && query < c.lengths[text]; ++query) MakePeaked(c, random, state, first_rows[text], query, qkv);
    }
  }
  return qkv;
}

std::vector<FlabQueries> Tiles(const Case& c) {
  std::vector<FlabQueries> tiles;
  const std::vector<int32_t> first_rows = c.first_rows();
  for (size_t text = 0; text < c.lengths.size(); ++text) {
    const int32_t length = c.lengths[text];
    for (int32_t query = c.last_only ? length - 1 : 0; query < length; query += FLAB_QUERY_TILE) tiles.push_back({first_rows[text], length, query});
  }
  return tiles;
}

// One query of a head: what it should be, and how far off it may be.
struct Expected {
  std::vector<double> out, tolerance;
};

Expected Attend(const Case& c, const Numbers& qkv, int64_t state, int32_t first_row, int32_t query, int32_t head) {
  const int32_t kv_head = c.query_heads + head / (c.query_heads / c.kv_heads), first = c.first_seen(query), count = query - first + 1;
  const double* q = &qkv.values[Place(c, state, first_row + query, head)];
  const auto at = [&](int32_t key, int32_t which) { return &qkv.values[Place(c, state, first_row + first + key, which)]; };
  std::vector<double> scores(count), sizes(count), weights(count);
  for (int32_t key = 0; key < count; ++key) {
    const double* k = at(key, kv_head);
    for (int32_t e = 0; e < c.width; ++e) {
      scores[key] += q[e] * k[e] * c.scale();
      sizes[key] += std::fabs(q[e] * k[e]) * c.scale();
    }
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  for (int32_t key = 0; key < count; ++key) total += weights[key] = std::exp(scores[key] - largest);
  Expected expected{std::vector<double>(c.width), std::vector<double>(c.width)};
  const double unit = 0x1p-23;  // of a sum in f32, with one bit to spare: tensor cores cut off instead of rounding
  const double weight_rounding = qkv.dtype == FLAB_BF16 ? RoundingOf(FLAB_BF16) : 0;
  for (int32_t e = 0; e < c.width; ++e) {
    double out = 0, size = 0, off = 0;
    for (int32_t key = 0; key < count; ++key) out += weights[key] / total * at(key, kv_head + c.kv_heads)[e];
    for (int32_t key = 0; key < count; ++key) {
      const double value = at(key, kv_head + c.kv_heads)[e], weight = weights[key] / total;
      // A score is a sum of E products; the exponent is rounded with its distance to the largest; a power is off by 2 units.
      // To first order a weight that is off by a share of it moves the result by that share of value - result.
      const double share = (c.width * sizes[key] + 2 * (largest - scores[key]) + 2) * unit;
      off += weight * share * std::fabs(value - out);
      size += weight * std::fabs(value);
    }
    // The weight is rounded as a factor; sums over the keys, each brought to a new shift at most once in 32 keys; the result.
    expected.tolerance[e] = off + size * (weight_rounding + (count + 8 * (count / 32 + 1)) * unit) + std::fabs(out) * (RoundingOf(qkv.dtype) + 2 * unit);
    expected.out[e] = out;
  }
  return expected;
}

void Check(const Case& c, int32_t dtype) {
  const Numbers qkv = Round(MakeInput(c), dtype);
  const int64_t item = dtype == FLAB_BF16 ? 2 : 4, out_count = c.states * c.state_rows() * c.out_width();
  const Memory device_qkv(static_cast<int64_t>(qkv.bytes.size()) + c.offset * item), device_out((out_count + c.offset) * item);
  std::byte* const in = device_qkv.as<std::byte>() + c.offset * item;
  std::byte* const out = device_out.as<std::byte>() + c.offset * item;
  const std::vector<FlabQueries> tiles = Tiles(c);
  const Memory device_tiles = ToDevice(tiles);
  Upload(in, qkv.bytes.data(), static_cast<int64_t>(qkv.bytes.size()));
  Upload(out, Round(std::vector<float>(out_count, kUntouched), dtype).bytes.data(), out_count * item);
  const FlabAttention call{.qkv = in,
                           .out = out,
                           .tiles = device_tiles.as<FlabQueries>(),
                           .tile_count = static_cast<int64_t>(tiles.size()),
                           .states = c.states,
                           .state_rows = c.state_rows(),
                           .query_heads = c.query_heads,
                           .kv_heads = c.kv_heads,
                           .head_width = c.width,
                           .window = c.window,
                           .scale = c.scale(),
                           .dtype = dtype};
  Expect(Backend().attention(Device(), &call), "attention");
  std::vector<double> got = NumbersFromDevice(out, dtype, out_count);
  for (int64_t state = 0; state < c.states; ++state) {
    for (const FlabQueries& tile : tiles) {
      for (int32_t query = tile.first_query; query < std::min(tile.first_query + FLAB_QUERY_TILE, tile.length); ++query) {
        for (int32_t head = 0; head < c.query_heads; ++head) {
          const Expected expected = Attend(c, qkv, state, tile.first_row, query, head);
          double* row = &got[(state * c.state_rows() + tile.first_row + query) * c.out_width() + head * c.width];
          for (int32_t e = 0; e < c.width; ++e) {
            EXPECT(testing::Near(row[e], expected.out[e], expected.tolerance[e]), "dtype ", dtype, " width ", c.width, " state ", state, " row ", tile.first_row,
                   " query ", query, " head ", head, " column ", e, ": ", row[e], " for ", expected.out[e], " +- ", expected.tolerance[e]);
            row[e] = kUntouched;
          }
        }
      }
    }
  }
  EXPECT(std::all_of(got.begin(), got.end(), [](double value) { return value == kUntouched; }), "a row was written that belongs to no tile");
}

void CheckBoth(const Case& c) {
  for (const int32_t dtype : {FLAB_BF16, FLAB_F32}) Check(c, dtype);
}

TEST("backend: attention is that of doubles for texts around the ends of tiles") {
  CheckBoth({.lengths = {1, 63, 64, 65, 130}, .query_heads = 1, .kv_heads = 1, .width = 64});
}

TEST("backend: attention is that of doubles for heads of every width") {
  for (const int32_t width : {8, 20, 32, 80, 96, 128, 192, 256}) CheckBoth({.lengths = {66}, .query_heads = 1, .kv_heads = 1, .width = width});
}

TEST("backend: attention takes heads that begin anywhere") {
  CheckBoth({.lengths = {5, 66}, .query_heads = 2, .kv_heads = 1, .width = 7});
  for (const int64_t offset : {1, 2}) CheckBoth({.lengths = {66}, .query_heads = 1, .kv_heads = 1, .width = 32, .offset = offset});
}

TEST("backend: attention shares keys and values between heads, in every state") {
  CheckBoth({.lengths = {3, 20}, .query_heads = 7, .kv_heads = 1, .width = 32, .states = 2});
  CheckBoth({.lengths = {20, 66}, .query_heads = 8, .kv_heads = 2, .width = 16});
}

TEST("backend: attention within a window is that of doubles") {
  for (const int32_t window : {1, 2, 65, 130}) {
    CheckBoth({.lengths = {195}, .query_heads = 1, .kv_heads = 1, .width = 20, .window = window});
    CheckBoth({.lengths = {131}, .query_heads = 1, .kv_heads = 1, .width = 32, .window = window, .last_only = true});
  }
}

TEST("backend: attention of last tokens is that of doubles, and no other row is written") {
  CheckBoth({.lengths = {1, 63, 64, 65, 130}, .query_heads = 2, .kv_heads = 1, .width = 64, .states = 2, .last_only = true});
}

TEST("backend: attention takes scores of which one dominates by 80, and equal ones") {
  for (const Kind kind : {Kind::kPeaked, Kind::kEqual}) {
    CheckBoth({.lengths = {130}, .query_heads = 1, .kv_heads = 1, .width = 64, .kind = kind});
    CheckBoth({.lengths = {100}, .query_heads = 1, .kv_heads = 1, .width = 20, .window = 70, .kind = kind});
  }
}

TEST("backend: attention of nothing is legal, and heads wider than 256 are refused") {
  FlabAttention call{.qkv = nullptr,
                     .out = nullptr,
                     .tiles = nullptr,
                     .tile_count = 0,
                     .states = 1,
                     .state_rows = 0,
                     .query_heads = 1,
                     .kv_heads = 1,
                     .head_width = 64,
                     .window = 0,
                     .scale = 1,
                     .dtype = FLAB_BF16};
  Expect(Backend().attention(Device(), &call), "attention");
  call.head_width = 257;
  EXPECT(Backend().attention(Device(), &call) == FLAB_BAD_CALL);
}

}  // namespace
}  // namespace flab::conformance
