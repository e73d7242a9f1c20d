// One tile of a KL divergence between two rows of logits, and of a log-sum-exp. The form is that of
// DivergenceSums (cpu/kernels.h): one exponential for w, one for expm1, every sum free of cancellation.

namespace flab::FLAB_ISA {

// Floats are summed over at most this many vectors before they go on in doubles, so that rounding stays near 1e-7.
constexpr int64_t kFlush = 32;
// Above this, e^(x - guess) is near the end of f32's range: the guess moves up.
constexpr float kMaxExcess = 60;
// Above this, e^(l - max) and e^(x - guess) have lost more than six digits to the rounding of their arguments.
constexpr float kFarExcess = 16;

// Vector i of a row whose last vector may be partial; lanes past the end are `fill`.
static inline Floats LoadPart(const float* p, int64_t i, int64_t count, float fill) {
  if (i + kLanes <= count) return Load(p + i);
  Floats v = Splat(fill);
  for (int64_t j = i; j < count; ++j) v[j - i] = p[j];
  return v;
}

// The sums for guess + shift from those for guess: e^(d - shift) = e^-shift e^d, and so on. Where d is near
// zero, as it is when the guess is the mean of s - l, every term is of one sign: nothing cancels.
static inline void ShiftGuess(DivergenceSums& sums, double shift) {
  constexpr double kMaxShift = 600;  // e^600 times any sum is a double; beyond it the rows are absurdly far apart
  if (!(shift < kMaxShift && shift > -kMaxShift)) {
    shift = shift > 0 ? kMaxShift : -kMaxShift;
    sums.far = true;
  }
  const double scale = __builtin_exp(-shift), scale1 = __builtin_expm1(-shift);
  sums.g = scale * sums.g + scale1 * sums.d + sums.w * (scale1 + shift);
  sums.a = scale * sums.a + scale1 * sums.w;
  sums.e = scale * sums.e;
  sums.d -= shift * sums.w;
  sums.guess += shift;
}

static inline void ScaleTo(DivergenceSums& sums, double max) {
  const double scale = __builtin_exp(sums.max - max);
  sums.w *= scale, sums.a *= scale, sums.g *= scale, sums.d *= scale, sums.e *= scale;
  sums.max = max;
}

// Adds a tile to the row: both are moved to their common maximum and their common mean first, as in Chan's
// update of a variance, so that a tile of little weight that came first costs no digits of a heavy one.
static inline void Merge(DivergenceSums& row, DivergenceSums tile) {
  if (row.w == 0) {
    row = tile;
    return;
  }
  const double max = row.max > tile.max ? row.max : tile.max;
  ScaleTo(row, max);
  ScaleTo(tile, max);
  // From the row's guess, so that no offset that both share takes part.
  const double apart = tile.guess - row.guess;
  const double mean = (row.d + tile.d + apart * tile.w) / (row.w + tile.w);
  ShiftGuess(tile, mean - apart);
  ShiftGuess(row, mean);
  row.w += tile.w, row.a += tile.a, row.g += tile.g, row.d += tile.d, row.e += tile.e;
  row.far |= tile.far;
}

// The sums of one tile for a given maximum and guess.
static DivergenceSums SumTile(const float* l, const float* s, int64_t count, float max, float guess) {
  const float nothing = max - 1000;  // a weight of e^-87 at most, and a difference of about zero
  DivergenceSums sums;
  sums.max = max;
  sums.guess = guess;
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
  return sums;
}

static void DivergenceTile(const float* l, const float* s, int64_t count, DivergenceSums& row) {
  if (count == 0) return;
  Floats lane_max = Splat(-3e38f), lane_excess = lane_max;
  for (int64_t i = 0; i < count; i += kLanes) {
    const Floats p = LoadPart(l, i, count, l[0]), q = LoadPart(s, i, count, s[0]);
    lane_max = Max(lane_max, p);
    lane_excess = Max(lane_excess, q - p);
  }
  const float max = MaxLane(lane_max), excess = MaxLane(lane_excess);
  const bool first = row.w == 0;
  float guess = first ? s[0] - l[0] : static_cast<float>(row.guess);
  // A guess is only good if it is near the tile's own mean, or the sums are of what cancels later: where the
  // mean is off by more than a third of the deviation, the tile is summed again. After the first tile that is rare.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const bool absurd = excess - guess > kMaxExcess;
    if (absurd) guess = excess - kMaxExcess;
    DivergenceSums tile = SumTile(l, s, count, max, guess);
    const double shift = tile.d / tile.w;
    const bool near_mean = shift * shift < 0.25 && shift * shift * tile.w <= 0.2 * tile.g;
    if (attempt == 2 || absurd || near_mean) {
      // Then tokens of next to no weight decide, whose weights are rounded or clamped in f32.
      tile.far = excess - guess > kFarExcess;
      return Merge(row, tile);
    }
    guess += static_cast<float>(shift);
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
