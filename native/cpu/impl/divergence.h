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

// The sums for guess + shift from those for guess: e^(d - shift) = e^-shift e^d, and so on.
static inline void ShiftGuess(DivergenceSums& sums, double shift) {
  const double scale = __builtin_exp(-shift), scale1 = __builtin_expm1(-shift);
  sums.g = scale * sums.g + scale1 * sums.d + sums.w * (scale1 + shift);
  sums.a = scale * sums.a + scale1 * sums.w;
  sums.e = scale * sums.e;
  sums.d -= shift * sums.w;
  sums.guess += shift;
}

// Moves the guess to the mean of s - l so far, where it is off by more than a tenth of the deviation: then
// the tiles to come add next to nothing that cancels. A tile of little weight is a poor first guess.
static inline void Recentre(DivergenceSums& sums) {
  const float better = static_cast<float>(sums.guess + sums.d / sums.w);
  const double shift = better - sums.guess;
  if (shift * shift * sums.w > 0.01 * 2 * sums.g && shift * shift < 1e4) ShiftGuess(sums, shift);
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
    sums.w *= scale, sums.a *= scale, sums.g *= scale, sums.d *= scale, sums.e *= scale;
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
  if (tile_excess - sums.guess > kMaxExcess) {
    ShiftGuess(sums, tile_excess - sums.guess);
    sums.far = true;  // what has a weight below e^-87 may count now, but is clamped there
  }
  const float guess = static_cast<float>(sums.guess);

  for (int64_t block = 0; block < count; block += kFlush * kLanes) {
    const int64_t end = block + kFlush * kLanes < count ? block + kFlush * kLanes : count;
    Floats w_sum{}, a_sum{}, g_sum{}, d_sum{}, e_sum{};
    for (int64_t i = block; i < end; i += kLanes) {
      const Floats p = LoadPart(l, i, count, nothing), q = LoadPart(s, i, count, nothing + guess);
      const Floats w = Exp(p - max);
      // q - p with what its rounding lost (Knuth's two-sum): an offset common to all of q costs no digits.
      const Floats x = q - p, q_back = x - q, lost = (q - (x - q_back)) - (p + q_back);
      const Floats d = (x - guess) + lost;
      const Exponential e = SplitExp(Clamp(d));
      const Floats expm1 = e.scale * (e.r + e.tail) + (e.scale - 1);
      // Where d rounds to no power of two, r is d, and the tail is expm1(d) - d without a subtraction.
      const Floats excess = e.scale == 1 ? e.tail : expm1 - d;
      w_sum += w;
      a_sum += w * expm1;
      g_sum += w * excess;
      d_sum += w * d;
      e_sum += w * (e.scale + e.scale * (e.r + e.tail));
    }
    sums.w += SumLanes(w_sum);
    sums.a += SumLanes(a_sum);
    sums.g += SumLanes(g_sum);
    sums.d += SumLanes(d_sum);
    sums.e += SumLanes(e_sum);
  }
  Recentre(sums);
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
