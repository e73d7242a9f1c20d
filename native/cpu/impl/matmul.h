// Microkernel of the matrix product: a tile of `rows` x (kVectors * kLanes) outputs lives in registers
// while the inputs stream past. A panel of 32 outputs is one pass with 16 lanes, two with 8, four (NEON: two) with 4.
// And the transposition that brings rows into the order in which the microkernel reads them.

namespace flab::FLAB_ISA {

constexpr int kVectors = FLAB_TILE_VECTORS;
constexpr int64_t kAhead = 8;  // rows of a panel to fetch before they are read; past the end it does no harm

// The inputs of kRows rows at one depth; each is multiplied with whole vectors.
template <int kRows>
struct Inputs {
  explicit Inputs(const float* a) : a(a) {}
  Floats operator[](int i) const { return Splat(a[i]); }
  const float* a;
};

#ifdef __aarch64__
// NEON multiplies with a lane of a register: a register for each input would leave too few for the sums.
template <int kRows>
  requires(kRows >= kLanes && kRows <= 2 * kLanes)
struct Inputs<kRows> {
  explicit Inputs(const float* a) : first(Load(a)), last(Load(a + kRows - kLanes)) {}
  Floats operator[](int i) const { return Splat(i < kLanes ? first[i] : last[i - (kRows - kLanes)]); }
  Floats first, last;
};
#endif

template <int kRows>
static inline void TileColumns(int64_t depth, const float* a, const float* b, float* c, int64_t c_stride, bool accumulate) {
  Floats sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    __builtin_prefetch(c + i * c_stride, 1);
    __builtin_prefetch(c + i * c_stride + kVectors * kLanes - 1, 1);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = accumulate ? Load(c + i * c_stride + j * kLanes) : Floats{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Floats weight[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) weight[j] = Load(b + k * kPanel + j * kLanes);
    __builtin_prefetch(b + (k + kAhead) * kPanel);
    __builtin_prefetch(b + (k + kAhead) * kPanel + 16);
    const Inputs<kRows> inputs(a + k * kRows);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Floats input = inputs[i];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] += input * weight[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) Store(c + i * c_stride + j * kLanes, sum[i][j]);
  }
}

template <int kRows>
static void Tile(int64_t depth, const float* a, const float* b, float* c, int64_t c_stride, bool accumulate) {
  for (int64_t j = 0; j < kPanel; j += kVectors * kLanes) {
    TileColumns<kRows>(depth, a, b + j, c + j, c_stride, accumulate);
  }
}

using TileFunction = void (*)(int64_t, const float*, const float*, float*, int64_t, bool);

static void TileF32(int64_t rows, int64_t depth, const float* a, const float* b, float* c, int64_t c_stride, bool accumulate) {
#if FLAB_TILE_ROWS == 14
  static constexpr TileFunction kTiles[] = {Tile<1>, Tile<2>, Tile<3>,  Tile<4>,  Tile<5>,  Tile<6>,  Tile<7>,
                                            Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>, Tile<13>, Tile<14>};
#else
  static constexpr TileFunction kTiles[] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>, Tile<5>, Tile<6>};
#endif
  kTiles[rows - 1](depth, a, b, c, c_stride, accumulate);
}

// Lane i is lane places[i] of a and b, one behind the other.
static inline Ints Shuffle(Ints a, Ints b, Ints places) {
#ifdef __clang__
  Ints v;
  for (int i = 0; i < kLanes; ++i) v[i] = places[i] < kLanes ? a[places[i]] : b[places[i] - kLanes];
  return v;
#else
  return __builtin_shuffle(a, b, places);
#endif
}

// Transposes 2 x 2 blocks of kStep x kStep lanes in all of v: after steps 1, 2, 4, ... v is transposed.
template <int kStep>
static inline void SwapBlocks(Ints* v) {
  Ints low, high;
  for (int lane = 0; lane < kLanes; ++lane) {
    low[lane] = lane & kStep ? kLanes + lane - kStep : lane;
    high[lane] = lane & kStep ? kLanes + lane : lane + kStep;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & kStep) continue;
    const Ints a = v[i], b = v[i + kStep];
    v[i] = Shuffle(a, b, low);
    v[i + kStep] = Shuffle(a, b, high);
  }
}

// out[k * kCount + i] = rows[i][k] for kCount rows, kLanes of them at a time.
template <int kCount>
static inline void InterleaveRows(const uint32_t* const* rows, int64_t items, uint32_t* out) {
#pragma GCC unroll 1
  for (int first = 0; first < kCount; first += kLanes) {
    constexpr int kRest = kCount % kLanes == 0 ? kLanes : kCount % kLanes;
    const bool whole = first + kLanes <= kCount;
    for (int64_t begin = 0; begin < items; begin += kLanes) {
      const int64_t count = items - begin < kLanes ? items - begin : kLanes;
      Ints v[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        v[i] = Ints{};
        if (first + i < kCount) {
          if (count == kLanes) {
            __builtin_memcpy(&v[i], rows[first + i] + begin, sizeof v[i]);
          } else {
            for (int64_t k = 0; k < count; ++k) v[i][k] = static_cast<int32_t>(rows[first + i][begin + k]);
          }
        }
      }
      SwapBlocks<1>(v);
      SwapBlocks<2>(v);
#if FLAB_LANES >= 8
      SwapBlocks<4>(v);
#endif
#if FLAB_LANES >= 16
      SwapBlocks<8>(v);
#endif
      uint32_t* target = out + begin * kCount + first;
      if (count == kLanes && whole) {
#pragma GCC unroll 16
        for (int k = 0; k < kLanes; ++k) __builtin_memcpy(target + k * kCount, &v[k], kLanes * 4);
      } else if (count == kLanes) {
#pragma GCC unroll 16
        for (int k = 0; k < kLanes; ++k) __builtin_memcpy(target + k * kCount, &v[k], kRest * 4);
      } else {
        for (int64_t k = 0; k < count; ++k) {
          for (int i = 0; i < (whole ? kLanes : kRest); ++i) target[k * kCount + i] = static_cast<uint32_t>(v[k][i]);
        }
      }
    }
  }
}

static void Interleave(const uint32_t* const* rows, int64_t count, int64_t items, uint32_t* out) {
  if (count == kPanel) return InterleaveRows<kPanel>(rows, items, out);
  if (count == FLAB_TILE_ROWS) return InterleaveRows<FLAB_TILE_ROWS>(rows, items, out);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t k = 0; k < items; ++k) __builtin_memcpy(out + k * count + i, rows[i] + k, 4);
  }
}

}  // namespace flab::FLAB_ISA
