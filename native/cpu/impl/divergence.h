// One tile of a KL divergence between two rows of logits, and of a log-sum-exp. The form is that of
// DivergenceSums (cpu/kernels.h): one exponential for w, one for expm1, every sum free of cancellation.

namespace flab::FLAB_ISA {

// Floats are summed over at most this many vectors before they go on in doubles, so that rounding stays near 1e-7.
constexpr int64_t kFlush = 32;
// Above this, e^(x - guess) is near the end of f32's range: the guess moves up first.
constexpr float kMaxExcess = 60;

// Vector i of a row whose last vector may be partial; lanes past the end are `fill`.
static inline Floats LoadPart(const float* p, int64_t i, int64_t count, float fill) {
  if (i + kLanes <= count) return Load(p + i);
  Floats v = Splat(fill);
  for (int64_t j = i; j < count; ++j) v[j - i] = p[j];
  return v;
}

// The sums for guess + shift, from those for guess: e^(x - guess - shift) = e^-shift * e^(x - guess).
static inline void ShiftGuess(DivergenceSums& sums, double shift) {
  const double d = sums.a - sums.g;  // sum w (x - guess)
  sums.a = __builtin_exp(-shift) * sums.a + __builtin_expm1(-shift) * sums.w;
  sums.g = sums.a - (d - shift * sums.w);
  sums.guess += shift;
}

static void DivergenceTile(const float* l, const float* s, int64_t count, DivergenceSums& sums) {
  if (count == 0) return;
  Floats max_l = Splat(-3e38f), max_x = max_l;
  for (int64_t i = 0; i < count; i += kLanes) {
    const Floats a = LoadPart(l, i, count, l[0]), b = LoadPart(s, i, count, s[0]);
    max_l = Max(max_l, a);
    max_x = Max(max_x, b - a);
  }
  const double tile_max = MaxLane(max_l), tile_excess = MaxLane(max_x);
  if (tile_max > sums.max) {
    const double scale = sums.started ? __builtin_exp(sums.max - tile_max) : 0;
    sums.w *= scale, sums.a *= scale, sums.g *= scale;
    sums.max = tile_max;
  }
  const float max = static_cast<float>(sums.max), nothing = max - 1000;  // e^(nothing - max) is 1e-38 of the largest weight
  if (!sums.started) {
    Floats w_sum{}, wx_sum{};
    for (int64_t i = 0; i < count; i += kLanes) {
      const Floats a = LoadPart(l, i, count, nothing), b = LoadPart(s, i, count, nothing);
      const Floats w = Exp(a - max);
      w_sum += w;
      wx_sum += w * (b - a);
    }
    sums.guess = SumLanes(wx_sum) / SumLanes(w_sum);
    sums.started = true;
  }
  if (tile_excess - sums.guess > kMaxExcess) ShiftGuess(sums, static_cast<float>(tile_excess - sums.guess));
  // The guess enters element by element in f32 and the sums in double: both must be the same number.
  const float guess = static_cast<float>(sums.guess);
  if (guess != sums.guess) ShiftGuess(sums, guess - sums.guess), sums.guess = guess;

  for (int64_t block = 0; block < count; block += kFlush * kLanes) {
    const int64_t end = block + kFlush * kLanes < count ? block + kFlush * kLanes : count;
    Floats w_sum{}, a_sum{}, g_sum{};
    for (int64_t i = block; i < end; i += kLanes) {
      const Floats p = LoadPart(l, i, count, nothing), q = LoadPart(s, i, count, nothing + guess);
      const Floats w = Exp(p - max);
      const Floats d = (q - p) - guess;
      const Exponential e = SplitExp(Clamp(d));
      const Floats expm1 = e.scale * (e.r + e.tail) + (e.scale - 1);
      // Where d rounds to no power of two, r is d, and the tail is expm1(d) - d without a subtraction.
      const Floats excess = e.scale == 1 ? e.tail : expm1 - d;
      w_sum += w;
      a_sum += w * expm1;
      g_sum += w * excess;
    }
    sums.w += SumLanes(w_sum);
    sums.a += SumLanes(a_sum);
    sums.g += SumLanes(g_sum);
  }
}

static void LogSumExpTile(const float* l, int64_t count, LogSumExp& sums) {
  if (count == 0) return;
  Floats lane_max = Splat(-3e38f);
  for (int64_t i = 0; i < count; i += kLanes) lane_max = Max(lane_max, LoadPart(l, i, count, l[0]));
  const double tile_max = MaxLane(lane_max);
  if (tile_max > sums.max) {
    sums.sum *= __builtin_exp(sums.max - tile_max);
    sums.max = tile_max;
  }
  const float max = static_cast<float>(sums.max);
  for (int64_t block = 0; block < count; block += kFlush * kLanes) {
    const int64_t end = block + kFlush * kLanes < count ? block + kFlush * kLanes : count;
    Floats sum{};
    for (int64_t i = block; i < end; i += kLanes) sum += Exp(LoadPart(l, i, count, max - 1000) - max);
    sums.sum += SumLanes(sum);
  }
}

}  // namespace flab::FLAB_ISA
