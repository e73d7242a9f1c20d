// One tile of a KL divergence between two rows of logits, and of a log-sum-exp. The form is that of
// DivergenceSums (cpu/kernels.h): three sums, one exponential for w, one for expm1(d) - d, all free of cancellation.

namespace flab::FLAB_ISA {

// Floats are summed over at most this many vectors before they go on in doubles, so that rounding stays near 1e-7.
constexpr int64_t kFlush = 32;
// The guess and the maximum of a row come from its first logits, at most this many.
constexpr int64_t kSample = 128;
// With a fused product x - n kLn2 is off by 2e-9 n, else by 2^-24 of x.
constexpr float kLn2 = 0.693147181f;
// Above this many powers of two, w = e^(l - max) has lost digits to the rounding of l - max: the maximum moves up.
constexpr float kMaxWeight = 8;
// Above this, e^(x - guess) is near the end of f32's range: the guess moves up.
constexpr float kMaxExcess = 60;
// Above this, e^(x - guess) is off by more than 2e-6, from the rounding of x - guess.
constexpr float kFarExcess = 32;
constexpr float kMaxRatio = 46;  // in powers of two

// max(p[0..count))
template <typename Element>
static float MaxOf(const Element* p, int64_t count) {
  Floats max = Splat(-3e38f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) max = Max(max, Load(p + i));
  if (i < count) max = Max(max, LoadPart(p + i, count - i, -3e38f));
  return MaxLane(max);
}

// max(s - l)
template <typename Element>
static float MaxDifference(const Element* l, const Element* s, int64_t count) {
  Floats max = Splat(-3e38f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) max = Max(max, Load(s + i) - Load(l + i));
  if (i < count) max = Max(max, LoadPart(s + i, count - i, -3e38f) - LoadPart(l + i, count - i, 0));
  return MaxLane(max);
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
  sums.d -= shift * sums.w;
  sums.guess += shift;
}

static inline void ScaleTo(DivergenceSums& sums, double max) {
  const double scale = __builtin_exp(sums.max - max);
  sums.w *= scale, sums.g *= scale, sums.d *= scale;
  sums.max = max;
}

static inline DivergenceSums Plus(const DivergenceSums& a, const DivergenceSums& b) {
  DivergenceSums sums = a;
  sums.w += b.w, sums.g += b.g, sums.d += b.d;
  sums.far |= b.far;
  return sums;
}

// The sum of two parts of a row: both are moved to their common maximum and their common mean first, as in Chan's
// update of a variance, so that a tile of little weight that came first costs no digits of a heavy one.
static DivergenceSums Merge(DivergenceSums row, DivergenceSums tile) {
  if (row.w == 0) return tile;
  const double max = row.max > tile.max ? row.max : tile.max;
  ScaleTo(row, max);
  ScaleTo(tile, max);
  // From the row's guess, so that no offset that both share takes part. Rounded, because tiles take it as a float.
  const double apart = tile.guess - row.guess, mean = (row.d + tile.d + apart * tile.w) / (row.w + tile.w);
  const double shift = static_cast<float>(row.guess + mean) - row.guess;
  ShiftGuess(tile, shift - apart);
  ShiftGuess(row, shift);
  return Plus(row, tile);
}

// A guess is good while at least half of g comes from what d varies by, or the sums are of what cancels later. By
// Jensen's inequality the mean alone gives expm1(mean) - mean, which is at most mean^2 / 2 (1 + 0.6 mean) up to 2.
static inline bool NearMean(const DivergenceSums& sums) {
  const double mean = sums.d / sums.w;
  return mean > -2 && mean < 2 && mean * sums.d * (mean > 0 ? 1 + 0.6 * mean : 1) <= sums.g;
}

// x - guess is off by 2^-24 of x. Where the deviation of d is not far below x, that is nothing.
static inline bool Distant(const DivergenceSums& sums) { return sums.guess * sums.guess * sums.w > 128 * sums.g; }

struct Tile {
  DivergenceSums sums;
  bool in_range;  // every w was at most 2^kMaxWeight, and every e^d at most 2^kMaxRatio
};

// The sums of one tile for a given maximum and guess.
template <bool kPrecise, typename Element>
__attribute__((noinline)) static Tile SumTile(const Element* l, const Element* s, int64_t count, float max, float guess) {
  WideFloats w_total{}, d_total{}, g_total{};
  Floats largest = Splat(-3e38f);  // power of two, of e^d or of w with the difference of their limits
  for (int64_t block = 0; block < count; block += kFlush * kLanes) {
    const int64_t end = block + kFlush * kLanes < count ? block + kFlush * kLanes : count;
    Floats w_sum{}, d_sum{}, g_sum{};
    const auto add = [&](Floats p, Floats q) __attribute__((always_inline)) {
      // e^r to 2e-7: minimax of degree 5 on |r| <= ln(2) / 2.
      const Floats y = Max(p - max, Splat(kExpMin));
      const Exponent weight = ExponentOf(y);
      const Floats t = y - weight.n * kLn2;
      Floats poly = t * 8.29764808e-3f + 4.19154314e-2f;
      poly = poly * t + 1.66675751e-1f;
      poly = poly * t + 4.99988944e-1f;
      poly = poly * t + 9.99999692e-1f;
      poly = poly * t + 1;
      const Floats w = Scale(poly, weight.bits);

      const Floats x = q - p;
      Floats d = x - guess;
      if (kPrecise) {
        // What rounding lost (Knuth's two-sum): an offset common to all of q costs no digits.
        const Floats q_back = x - q;
        d += (q - (x - q_back)) - (p + q_back);
      }
      // e^d = scale (1 + r + r^2 tail), the tail to 1.4e-7: minimax with 1/2 given.
      const Floats z = Max(d, Splat(kExpMin));
      const Exponent ratio = ExponentOf(z);
      const Floats r = z - ratio.n * kLn2, scale = Scale(Splat(1), ratio.bits);
      Floats tail = r * 1.39529832e-3f + 8.36408102e-3f;
      tail = tail * r + 4.16663891e-2f;
      tail = tail * r + 1.66665715e-1f;
      tail = tail * r + 0.5f;
      // Where d rounds to no power of two, r is d, and nothing is left of the second part.
      const Floats g = scale * (r * r * tail) + ((scale - 1) + (scale * r - d));
      w_sum += w;
      d_sum += w * d;
      g_sum += w * g;
      largest = Max(largest, Max(ratio.n, weight.n + (kMaxRatio - kMaxWeight)));
    };
    int64_t i = block;
    for (; i + kLanes <= end; i += kLanes) add(Load(l + i), Load(s + i));
    if (i < end) {
      const float nothing = max - 1000;  // a weight of e^-87, and a difference of about zero
      add(LoadPart(l + i, end - i, nothing), LoadPart(s + i, end - i, nothing + guess));
    }
    Add(w_total, Widen(w_sum));
    Add(d_total, Widen(d_sum));
    Add(g_total, Widen(g_sum));
  }
  Tile tile;
  tile.sums.max = max;
  tile.sums.guess = guess;
  tile.sums.w = SumLanes(w_total);
  tile.sums.d = SumLanes(d_total);
  tile.sums.g = SumLanes(g_total);
  tile.in_range = MaxLane(largest) <= kMaxRatio;
  return tile;
}

// The sums of one tile with its own maximum and a guess of its own, where those of the row don't do.
template <typename Element>
static DivergenceSums SumTileApart(const Element* l, const Element* s, int64_t count, float guess) {
  const float max = MaxOf(l, count), excess = MaxDifference(l, s, count);
  for (int attempt = 0;; ++attempt) {
    const bool absurd = excess - guess > kMaxExcess;
    if (absurd) guess = excess - kMaxExcess;
    DivergenceSums sums = SumTile<true>(l, s, count, max, guess).sums;
    if (attempt == 2 || absurd || NearMean(sums)) {
      // Then tokens of next to no weight decide, whose weights are rounded or clamped in f32.
      sums.far = excess - guess > kFarExcess;
      return sums;
    }
    guess += static_cast<float>(sums.d / sums.w);
  }
}

template <typename Element>
static void AddTile(const Element* l, const Element* s, int64_t count, DivergenceSums& row) {
  if (count == 0) return;
  bool precise = Distant(row);
  if (row.w == 0) {
    const int64_t sample = count < kSample ? count : kSample;
    const DivergenceSums sums = SumTileApart(l, s, sample, MaxDifference(l, s, 1));
    row.max = sums.max;
    row.guess = static_cast<float>(sums.guess + sums.d / sums.w);
    precise = Distant(sums);
  }
  const float max = static_cast<float>(row.max), guess = static_cast<float>(row.guess);
  const Tile tile = precise ? SumTile<true>(l, s, count, max, guess) : SumTile<false>(l, s, count, max, guess);
  const DivergenceSums sums = Plus(row, tile.sums);
  row = tile.in_range && NearMean(sums) ? sums : Merge(row, SumTileApart(l, s, count, guess));
}

static void DivergenceTile(Dtype dtype, const void* l, const void* s, int64_t count, DivergenceSums& row) {
  switch (dtype) {
    case Dtype::kF32: return AddTile(static_cast<const F32*>(l), static_cast<const F32*>(s), count, row);
    case Dtype::kF16: return AddTile(static_cast<const F16*>(l), static_cast<const F16*>(s), count, row);
    case Dtype::kBF16: return AddTile(static_cast<const BF16*>(l), static_cast<const BF16*>(s), count, row);
  }
}

static void LogSumExpTile(const float* l, int64_t count, LogSumExp& sums) {
  if (count == 0) return;
  const F32* logits = reinterpret_cast<const F32*>(l);
  const double tile_max = MaxOf(logits, count);
  if (tile_max > sums.max) {
    sums.sum *= __builtin_exp(sums.max - tile_max);
    sums.max = tile_max;
  }
  const float max = static_cast<float>(sums.max);
  for (int64_t block = 0; block < count; block += kFlush * kLanes) {
    const int64_t end = block + kFlush * kLanes < count ? block + kFlush * kLanes : count;
    Floats sum{};
    int64_t i = block;
    for (; i + kLanes <= end; i += kLanes) sum += Exp(Load(logits + i) - max);
    if (i < end) sum += Exp(LoadPart(logits + i, end - i, max - 1000) - max);
    sums.sum += SumLanes(sum);
  }
}

}  // namespace flab::FLAB_ISA
