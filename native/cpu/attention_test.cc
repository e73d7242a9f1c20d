// Attention against a softmax in doubles, written out.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/buffer.h"
#include "base/testing.h"
#include "cpu/attention.h"

namespace flab {
namespace {

using testing::Random;

constexpr double kUnit = 0x1p-24;

struct Case {
  int64_t tokens, head_width, query_heads, window;
  double size = 1;  // of queries and keys: a large one gives a peaked softmax
};

std::string Name(const Case& c) {
  return testing::Join(c.tokens, " tokens, head width ", c.head_width, ", ", c.query_heads, " heads, window ", c.window, ", size ", c.size);
}

constexpr float kUntouched = -12345;

struct Inputs {
  explicit Inputs(const Case& x, uint32_t seed = 1)
      : query_stride(x.query_heads * x.head_width + 3), kv_stride(x.head_width + 5), out_stride(x.query_heads * x.head_width + 2) {
    Random random(seed);
    query = random.Normals(x.tokens * query_stride, x.size);
    key = random.Normals(x.tokens * kv_stride, x.size);
    value = random.Normals(x.tokens * kv_stride);
  }

  std::vector<float> Attend(const Case& x, Compute compute = Compute::kF32, int64_t first_query = 0) const {
    // Memory that another task left behind must not matter.
    static AttentionScratch scratch;
    std::fill_n(scratch.scores.data(), scratch.scores.size(), NAN);
    std::vector<float> out(x.tokens * out_stride, kUntouched);
    flab::Attend(Format(ActiveKernels(), compute),
                 {query.data(), key.data(), value.data(), out.data(), query_stride, kv_stride, out_stride, x.tokens, x.head_width,
                  x.query_heads, x.window, 1 / std::sqrt(static_cast<float>(x.head_width)), first_query},
                 scratch);
    return out;
  }

  int64_t query_stride, kv_stride, out_stride;
  std::vector<float> query, key, value;
};

// out[e] of one query and the largest error that f32 arithmetic may add to it.
void ExpectRow(const Case& x, const Inputs& in, const std::vector<float>& out, int64_t token, int64_t head) {
  const int64_t first = x.window > 0 ? std::max<int64_t>(0, token - x.window + 1) : 0;
  const double scale = 1 / std::sqrt(static_cast<double>(x.head_width));
  const float* query = &in.query[token * in.query_stride + head * x.head_width];
  std::vector<double> weights;
  double max = -INFINITY, score_error = 0;
  for (int64_t j = first; j <= token; ++j) {
    double score = 0, magnitude = 0;
    for (int64_t e = 0; e < x.head_width; ++e) {
      const double term = static_cast<double>(query[e]) * in.key[j * in.kv_stride + e];
      score += term;
      magnitude += std::fabs(term);
    }
    weights.push_back(score * scale);
    max = std::max(max, score * scale);
    score_error = std::max(score_error, static_cast<double>(x.head_width + 4) * kUnit * magnitude * scale);
  }
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - max);
  for (int64_t e = 0; e < x.head_width; ++e) {
    double expected = 0, magnitude = 0;
    for (int64_t j = first; j <= token; ++j) {
      const double term = weights[j - first] / sum * in.value[j * in.kv_stride + e];
      expected += term;
      magnitude += std::fabs(term);
    }
    // Errors of scores multiply the probabilities; so do the exponential's (a few u) and those of sums over tokens.
    const double relative = std::expm1(2 * score_error) + static_cast<double>(2 * weights.size() + 16) * kUnit;
    const double got = out[token * in.out_stride + head * x.head_width + e];
    EXPECT(testing::Near(got, expected, relative * magnitude + 1e-30), Name(x), ": token ", token, ", head ", head, ", [", e, "] is ", got,
           ", expected ", expected);
  }
}

void TestAttention(const Case& x) {
  const Inputs in(x);
  const std::vector<float> out = in.Attend(x);
  for (int64_t token = 0; token < x.tokens; ++token) {
    for (int64_t head = 0; head < x.query_heads; ++head) ExpectRow(x, in, out, token, head);
    for (int64_t i = x.query_heads * x.head_width; i < in.out_stride; ++i) {
      EXPECT(out[token * in.out_stride + i] == kUntouched, Name(x), ": written past row ", token);
    }
  }
}

TEST("attention is a softmax over the tokens before, at lengths around every padding") {
  for (const int64_t tokens : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 61, 63, 64, 65, 95, 97, 131}) TestAttention({tokens, 16, 2, 0});
}

TEST("attention works at every head width, odd ones included") {
  for (const int64_t width : {1, 2, 3, 5, 6, 7, 8, 15, 16, 17, 31, 32, 33, 64, 80, 96, 127, 128, 129}) TestAttention({37, width, 1, 0});
}

TEST("all query heads of a group see the same keys and values") {
  for (const int64_t heads : {1, 2, 3, 7, 8}) TestAttention({41, 20, heads, 0});
}

TEST("a window hides the tokens before it") {
  for (const int64_t window : {1, 2, 3, 4, 5, 31, 32, 33, 64, 100, 136, 137, 138, 1000}) TestAttention({137, 12, 2, window});
}

TEST("a long text with and without a window") {
  TestAttention({1031, 24, 1, 0});
  TestAttention({1031, 24, 2, 257});
}

TEST("peaked attention keeps its precision") {
  // Scores up to some hundreds: nearly all the weight is on one token.
  for (const double size : {3., 10., 30.}) TestAttention({67, 32, 2, 0, size});
}

TEST("attention of equal scores is the mean of the values") {
  const Case x{50, 8, 1, 0};
  Inputs in(x);
  std::fill(in.query.begin(), in.query.end(), 0.f);
  const std::vector<float> out = in.Attend(x);
  for (int64_t token = 0; token < x.tokens; ++token) ExpectRow(x, in, out, token, 0);
}

TEST("a token's attention has the same bits when tokens come after it") {
  const Case all{100, 24, 2, 0};
  const Inputs in(all);
  const std::vector<float> out = in.Attend(all);
  for (const int64_t tokens : {1, 5, 32, 50, 99}) {
    const std::vector<float> shorter = in.Attend({tokens, all.head_width, all.query_heads, all.window});
    EXPECT(std::memcmp(shorter.data(), out.data(), shorter.size() * 4) == 0, tokens, " tokens");
  }
}

TEST("attention of no tokens writes nothing") {
  const Case x{0, 8, 2, 0};
  EXPECT(Inputs(x).Attend(x).empty());
}

}  // namespace
}  // namespace flab
