// Sums over the rows of a matrix, column by column, and over one row: in doubles, in which an element and its square are
// exact. Converting costs less than waiting for the memory, but for the halves of activations: their values, of at most
// 11 bits, are summed over a few rows in f32 first, which has room for that.

namespace flab::FLAB_ISA {

typedef int64_t Longs __attribute__((vector_size(FLAB_LANES * 4)));

// Bytes of a row by which the memory is asked ahead: no processor sees by itself that so many rows are read at once.
constexpr int64_t kAheadBytes = 512;

static inline Floats Absolute(Floats v) { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(v) & INT32_MAX); }
static inline Doubles Absolute(Doubles v) { return reinterpret_cast<Doubles>(reinterpret_cast<Longs>(v) & INT64_MAX); }

static inline void AddSquares(WideFloats& sum, const WideFloats& v) {
  sum.low += v.low * v.low;
  sum.high += v.high * v.high;
}

// The first `count` of kLanes doubles; the others are zero and not stored.
static inline WideFloats LoadPart(const double* p, int64_t count) {
  double part[kLanes] = {};
  if (count < kLanes) {
    __builtin_memcpy(part, p, count * sizeof(double));
    p = part;
  }
  return {*reinterpret_cast<const UnalignedDoubles*>(p), *reinterpret_cast<const UnalignedDoubles*>(p + kLanes / 2)};
}

static inline void StorePart(double* p, int64_t count, const WideFloats& v) {
  double part[kLanes];
  double* out = count < kLanes ? part : p;
  *reinterpret_cast<UnalignedDoubles*>(out) = v.low;
  *reinterpret_cast<UnalignedDoubles*>(out + kLanes / 2) = v.high;
  if (count < kLanes) __builtin_memcpy(p, part, count * sizeof(double));
}

static inline void AddPart(double* sums, int64_t count, Floats v) {
  WideFloats sum = LoadPart(sums, count);
  Add(sum, Widen(v));
  StorePart(sums, count, sum);
}

// One vector of columns, of which `count` are there, over a few rows. Doubles go on from the sums so far, so that nothing
// depends on which rows came together.
template <bool kSquaresOnly, typename Element>
__attribute__((always_inline)) static inline void AddColumns(const Element* values, const Element* ahead, int64_t stride, int64_t rows,
                                                             int64_t count, double* sum, double* sum_abs, double* sum_squares) {
  constexpr bool kHalves = sizeof(Element) == 2;
  Floats sum_half{}, abs_half{};
  WideFloats sum_wide, abs_wide, squares = LoadPart(sum_squares, count);
  if (!kSquaresOnly && !kHalves) sum_wide = LoadPart(sum, count), abs_wide = LoadPart(sum_abs, count);
  for (int64_t row = 0; row < rows; ++row) {
    __builtin_prefetch(ahead + row * stride);
    const Floats x = LoadPart(values + row * stride, count, 0);
    const WideFloats wide = Widen(x);
    if (!kSquaresOnly && kHalves) sum_half += x, abs_half += Absolute(x);
    if (!kSquaresOnly && !kHalves) Add(sum_wide, wide), Add(abs_wide, {Absolute(wide.low), Absolute(wide.high)});
    AddSquares(squares, wide);
  }
  if (!kSquaresOnly && kHalves) AddPart(sum, count, sum_half), AddPart(sum_abs, count, abs_half);
  if (!kSquaresOnly && !kHalves) StorePart(sum, count, sum_wide), StorePart(sum_abs, count, abs_wide);
  StorePart(sum_squares, count, squares);
}

// kRunRows rows at a time, so that sums are loaded and stored once for all of them.
template <bool kSquaresOnly, typename Element>
static void AddRows(const Element* values, int64_t stride, int64_t rows, int64_t columns, double* sum, double* sum_abs,
                    double* sum_squares) {
  for (int64_t row = 0; row < rows; row += kRunRows) {
    const int64_t count = row + kRunRows < rows ? kRunRows : rows - row;
    const Element* first = values + row * stride;
    constexpr int64_t kAhead = kAheadBytes / sizeof(Element);
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) {
      const Element* ahead = j + kAhead < columns ? first + j + kAhead : first + kRunRows * stride + j + kAhead - columns;
      AddColumns<kSquaresOnly>(first + j, ahead, stride, count, kLanes, sum + j, sum_abs + j, sum_squares + j);
    }
    if (j < columns) AddColumns<kSquaresOnly>(first + j, first + j, stride, count, columns - j, sum + j, sum_abs + j, sum_squares + j);
  }
}

template <typename Element>
static double SquaresOf(const Element* values, int64_t count) {
  WideFloats even{}, odd{};
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    AddSquares(even, Widen(Load(values + i)));
    AddSquares(odd, Widen(Load(values + i + kLanes)));
  }
  for (; i < count; i += kLanes) AddSquares(even, Widen(LoadPart(values + i, count - i < kLanes ? count - i : kLanes, 0)));
  Add(even, odd);
  return SumLanes(even);
}

static void SumNeurons(Dtype dtype, const void* values, int64_t stride, int64_t rows, int64_t columns, double* sum, double* sum_abs,
                       double* sum_squares) {
  switch (dtype) {
    case Dtype::kF32: return AddRows<false>(static_cast<const F32*>(values), stride, rows, columns, sum, sum_abs, sum_squares);
    case Dtype::kF16: return AddRows<false>(static_cast<const F16*>(values), stride, rows, columns, sum, sum_abs, sum_squares);
    case Dtype::kBF16: return AddRows<false>(static_cast<const BF16*>(values), stride, rows, columns, sum, sum_abs, sum_squares);
  }
}

static void SumColumnSquares(Dtype dtype, const void* values, int64_t stride, int64_t rows, int64_t columns, double* squares) {
  switch (dtype) {
    case Dtype::kF32: return AddRows<true>(static_cast<const F32*>(values), stride, rows, columns, squares, squares, squares);
    case Dtype::kF16: return AddRows<true>(static_cast<const F16*>(values), stride, rows, columns, squares, squares, squares);
    case Dtype::kBF16: return AddRows<true>(static_cast<const BF16*>(values), stride, rows, columns, squares, squares, squares);
  }
}

static double SumSquares(Dtype dtype, const void* values, int64_t count) {
  switch (dtype) {
    case Dtype::kF32: return SquaresOf(static_cast<const F32*>(values), count);
    case Dtype::kF16: return SquaresOf(static_cast<const F16*>(values), count);
    case Dtype::kBF16: return SquaresOf(static_cast<const BF16*>(values), count);
  }
  __builtin_unreachable();
}

}  // namespace flab::FLAB_ISA
