// Microkernel of the matrix product: a tile of `rows` x (kVectors * kLanes) outputs lives in registers
// while the inputs stream past. A panel of 32 outputs is one pass with 16 lanes, two with 8, four with 4.

namespace flab::FLAB_ISA {

constexpr int kVectors = 2;

template <int kRows>
static inline void TileColumns(int64_t depth, const float* a, const float* b, float* c, int64_t c_stride, bool accumulate) {
  Floats sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = accumulate ? Load(c + i * c_stride + j * kLanes) : Floats{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Floats weight[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) weight[j] = Load(b + k * kPanel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Floats input = Splat(a[k * kRows + i]);
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

}  // namespace flab::FLAB_ISA
