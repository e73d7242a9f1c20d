// Sums over the rows of a matrix, column by column, and over one row. f32 is summed in doubles, in which an element and
// its square are exact: converting costs less than waiting for memory. Halves come twice as fast; they are summed over
// a few rows in f32 first.

namespace flab::FLAB_ISA {

typedef int64_t Longs __attribute__((vector_size(FLAB_LANES * 4)));

// What elements are summed as over a few rows.
static inline WideFloats Summand(const F32* p, int64_t count) { return Widen(LoadPart(p, count, 0)); }
static inline Floats Summand(const F16* p, int64_t count) { return LoadPart(p, count, 0); }
static inline Floats Summand(const BF16* p, int64_t count) { return LoadPart(p, count, 0); }

static inline Floats Absolute(Floats v) { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(v) & INT32_MAX); }
static inline Doubles Absolute(Doubles v) { return reinterpret_cast<Doubles>(reinterpret_cast<Longs>(v) & INT64_MAX); }
static inline WideFloats Absolute(const WideFloats& v) { return {Absolute(v.low), Absolute(v.high)}; }
static inline Floats Square(Floats v) { return v * v; }
static inline WideFloats Square(const WideFloats& v) { return {v.low * v.low, v.high * v.high}; }
static inline void Add(Floats& sum, Floats v) { sum += v; }

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

// Doubles go on from the sums so far: then nothing depends on which rows came together.
static inline void Begin(WideFloats& sum, const double* sums, int64_t count) { sum = LoadPart(sums, count); }
static inline void End(const WideFloats& sum, double* sums, int64_t count) { StorePart(sums, count, sum); }
static inline void Begin(Floats& sum, const double*, int64_t) { sum = Floats{}; }
static inline void End(Floats sum, double* sums, int64_t count) {
  WideFloats total = LoadPart(sums, count);
  Add(total, Widen(sum));
  StorePart(sums, count, total);
}

// One vector of columns, of which `count` are there, over a few rows.
template <bool kSquaresOnly, typename Element>
__attribute__((always_inline)) static inline void AddColumns(const Element* values, const Element* ahead, int64_t stride, int64_t rows, int64_t count, double* sum,
                                                             double* sum_abs, double* sum_squares) {
  decltype(Summand(values, count)) s, a, q;
  if (!kSquaresOnly) Begin(s, sum, count), Begin(a, sum_abs, count);
  Begin(q, sum_squares, count);
  for (int64_t row = 0; row < rows; ++row) {
    __builtin_prefetch(ahead + row * stride);
    const auto x = Summand(values + row * stride, count);
    if (!kSquaresOnly) Add(s, x), Add(a, Absolute(x));
    Add(q, Square(x));
  }
  if (!kSquaresOnly) End(s, sum, count), End(a, sum_abs, count);
  End(q, sum_squares, count);
}

template <bool kSquaresOnly, typename Element>
static void AddRows(const Element* values, int64_t stride, int64_t rows, int64_t columns, double* sum, double* sum_abs, double* sum_squares) {
  for (int64_t row = 0; row < rows; row += kRunRows) {
    const int64_t count = row + kRunRows < rows ? kRunRows : rows - row;
    const Element* first = values + row * stride;
    int64_t j = 0;
    constexpr int64_t kAhead = 512 / sizeof(Element);
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
    Add(even, Square(Widen(Load(values + i))));
    Add(odd, Square(Widen(Load(values + i + kLanes))));
  }
  for (; i < count; i += kLanes) Add(even, Square(Widen(LoadPart(values + i, count - i < kLanes ? count - i : kLanes, 0))));
  Add(even, odd);
  return SumLanes(even);
}

static void SumNeurons(Dtype dtype, const void* values, int64_t stride, int64_t rows, int64_t columns, double* sum, double* sum_abs, double* sum_squares) {
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
