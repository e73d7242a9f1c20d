// Causal attention over one text for the query heads of one key/value head.
//
// Keys are transposed once, [head_width, tokens], so that scores of neighbouring keys are neighbouring
// lanes; values are copied with rows padded to whole vectors. Four query rows share each load. Memory is
// four rows of scores: [tokens, tokens] never exists.

namespace flab::FLAB_ISA {

constexpr int kQueries = 4;

static inline int64_t PadTo(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// scores[q, j] = scale * sum_e query[q, e] * keys[e, j] for j in [begin, end), whole groups of 2 vectors.
static void Scores(const float* const* query, const float* keys, int64_t key_stride, int64_t head_width, int64_t begin,
                   int64_t end, float scale, float* scores, int64_t score_stride) {
  for (int64_t j = begin; j < end; j += 2 * kLanes) {
    Floats sum[kQueries][2] = {};
    for (int64_t e = 0; e < head_width; ++e) {
      const Floats low = Load(keys + e * key_stride + j), high = Load(keys + e * key_stride + j + kLanes);
#pragma GCC unroll 4
      for (int q = 0; q < kQueries; ++q) {
        sum[q][0] += query[q][e] * low;
        sum[q][1] += query[q][e] * high;
      }
    }
    for (int q = 0; q < kQueries; ++q) {
      Store(scores + q * score_stride + j, sum[q][0] * scale);
      Store(scores + q * score_stride + j + kLanes, sum[q][1] * scale);
    }
  }
}

// Turns scores [first, last] of one row into probabilities and sets the others of [begin, end) to zero.
static void Softmax(float* scores, int64_t begin, int64_t end, int64_t first, int64_t last) {
  constexpr float kMasked = -1e30f;
  for (int64_t j = begin; j < first; ++j) scores[j] = kMasked;
  for (int64_t j = last + 1; j < end; ++j) scores[j] = kMasked;
  Floats lane_max = Splat(kMasked);
  for (int64_t j = begin; j < end; j += kLanes) lane_max = Max(lane_max, Load(scores + j));
  const float max = MaxLane(lane_max);
  Floats sums{};
  for (int64_t j = begin; j < end; j += kLanes) {
    const Floats x = Load(scores + j);
    const Floats p = x > kMasked ? Exp(x - max) : Floats{};
    sums += p;
    Store(scores + j, p);
  }
  const float scale = 1 / SumLanes(sums);
  for (int64_t j = begin; j < end; j += kLanes) Store(scores + j, Load(scores + j) * scale);
}

// out[q, e] = sum_j scores[q, j] * values[j, e]; rows of `out` are padded to `width`, a multiple of 2 vectors.
static void Mix(const float* scores, int64_t score_stride, int64_t first, int64_t last, const float* values, int64_t width,
                float* out) {
  for (int64_t e = 0; e < width; e += 2 * kLanes) {
    Floats sum[kQueries][2] = {};
    for (int64_t j = first; j <= last; ++j) {
      const Floats low = Load(values + j * width + e), high = Load(values + j * width + e + kLanes);
#pragma GCC unroll 4
      for (int q = 0; q < kQueries; ++q) {
        sum[q][0] += scores[q * score_stride + j] * low;
        sum[q][1] += scores[q * score_stride + j] * high;
      }
    }
    for (int q = 0; q < kQueries; ++q) {
      Store(out + q * width + e, sum[q][0]);
      Store(out + q * width + e + kLanes, sum[q][1]);
    }
  }
}

static void Attend(const AttentionTask& task) {
  constexpr int64_t kPad = 32;  // as in AttentionScratch, a multiple of 2 vectors for every instruction set
  const int64_t tokens = task.tokens, width = task.head_width;
  const int64_t padded_tokens = PadTo(tokens, kPad), padded_width = PadTo(width, kPad);
  float* keys = task.scratch;                               // [width, padded_tokens]
  float* values = keys + width * padded_tokens;             // [padded_tokens, padded_width]
  float* scores = values + padded_tokens * padded_width;    // [kQueries, padded_tokens]
  float* mixed = scores + kQueries * padded_tokens;         // [kQueries, padded_width]
  for (int64_t e = 0; e < width; ++e) {
    float* row = keys + e * padded_tokens;
    for (int64_t t = 0; t < tokens; ++t) row[t] = task.key[t * task.kv_stride + e];
    for (int64_t t = tokens; t < padded_tokens; ++t) row[t] = 0;
  }
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t e = 0; e < padded_width; ++e) values[t * padded_width + e] = e < width ? task.value[t * task.kv_stride + e] : 0;
  }
  for (int64_t head = 0; head < task.query_heads; ++head) {
    for (int64_t t = 0; t < tokens; t += kQueries) {
      const int64_t last = t + kQueries <= tokens ? t + kQueries - 1 : tokens - 1;
      const float* query[kQueries];
      for (int q = 0; q < kQueries; ++q) {
        query[q] = task.query + (t + q <= last ? t + q : last) * task.query_stride + head * width;
      }
      const int64_t seen = task.window > 0 && t >= task.window ? t - task.window + 1 : 0;
      const int64_t begin = seen / kPad * kPad, end = PadTo(last + 1, kPad);
      Scores(query, keys, padded_tokens, width, begin, end, task.scale, scores, padded_tokens);
      for (int q = 0; q < kQueries; ++q) {
        const int64_t own = t + q <= last ? t + q : last;
        const int64_t first = task.window > 0 && own >= task.window ? own - task.window + 1 : 0;
        Softmax(scores + q * padded_tokens, begin, end, first, own);
      }
      Mix(scores, padded_tokens, begin, last, values, padded_width, mixed);
      for (int64_t q = 0; q <= last - t; ++q) {
        float* out = task.out + (t + q) * task.out_stride + head * width;
        for (int64_t e = 0; e < width; ++e) out[e] = mixed[q * padded_width + e];
      }
    }
  }
}

}  // namespace flab::FLAB_ISA
