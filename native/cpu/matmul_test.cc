// Matrix products against sums in doubles. FMA or not, tile or not: the bound below holds for every order of a sum.

#include "cpu/matmul.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/testing.h"
#include "base/thread_pool.h"

namespace flab {
namespace {

using testing::Random;

constexpr double kUnit = 0x1p-24;  // unit roundoff of f32

// A weight matrix in memory of its own, off any alignment, as in a checkpoint.
struct Weights {
  Weights(Dtype dtype, int64_t outputs, int64_t depth, const std::vector<float>& values) : memory(1 + outputs * depth * ItemBytes(dtype)) {
    for (size_t i = 0; i < values.size(); ++i) {
      std::byte* item = memory.data() + 1 + i * ItemBytes(dtype);
      const uint16_t half = ToBF16(values[i]);
      if (dtype == Dtype::kF32) {
        std::memcpy(item, &values[i], 4);
      } else {
        std::memcpy(item, &half, 2);
      }
    }
    tensor = {memory.data() + 1, dtype, outputs, depth, nullptr, "weights"};
  }
  Weights(const Weights&) = delete;
  std::vector<std::byte> memory;
  Tensor tensor;
};

float Factor(Compute compute, float value) { return compute == Compute::kBF16 ? FromBF16(ToBF16(value)) : value; }

// Mostly of size 1; every 97th is a thousand times larger, every 89th a thousand times smaller.
std::vector<float> Peaked(Random& random, int64_t count) {
  std::vector<float> values = random.Normals(count);
  for (int64_t i = 0; i < count; ++i) values[i] *= i % 97 == 13 ? 1000.f : i % 89 == 5 ? 1e-3f : 1.f;
  return values;
}

struct Case {
  Compute compute;
  Dtype dtype;
  int64_t rows, outputs, depth;
  bool accumulate;
};

std::string Name(const Case& c) {
  return testing::Join(c.compute == Compute::kBF16 ? "bf16 " : "f32 ", c.rows, " x ", c.outputs, " x ", c.depth, c.accumulate ? " accumulated" : "");
}

constexpr float kUntouched = -12345;

// Outputs [first, first + count) of one product must be right, all else in `c` untouched.
void ExpectProduct(const Case& x, const std::vector<float>& a, int64_t a_stride, const std::vector<float>& weights,
                   const std::vector<float>& before, const std::vector<float>& c, int64_t c_stride, int64_t first, int64_t count) {
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < c_stride; ++j) {
      const float got = c[i * c_stride + j], start = before[i * c_stride + j];
      if (j >= count) {
        EXPECT(got == start, Name(x), ": row ", i, " was written past its end, at ", j);
        continue;
      }
      double sum = x.accumulate ? start : 0, size = std::fabs(sum);
      for (int64_t k = 0; k < x.depth; ++k) {
        // Products of two bf16 have 16 bits, so they are exact in f32, as they are here.
        const double term = static_cast<double>(Factor(x.compute, a[i * a_stride + k])) * Factor(x.compute, weights[(first + j) * x.depth + k]);
        sum += term;
        size += std::fabs(term);
      }
      // n roundings of products and n of sums in any order stay within (n + 1) u of the sum of magnitudes, to first
      // order. The bf16 instructions treat numbers below 2^-126 as zero, and Arm's round to odd, by up to 2 u: a sum of
      // two products, then sums of those, (n + 1) / 2 of them.
      const double tolerance = 1.01 * static_cast<double>(x.depth + 3) * kUnit * size + static_cast<double>(x.depth + 1) * 0x1p-125;
      EXPECT(testing::Near(got, sum, tolerance), Name(x), ": [", i, ", ", j, "] is ", got, ", expected ", sum, " within ", tolerance);
    }
  }
}

void TestMatmul(const Case& x, uint32_t seed) {
  Random random(seed);
  Job job;
  const int64_t a_stride = x.depth + 3, c_stride = x.outputs + 5;
  const std::vector<float> a = Peaked(random, std::max<int64_t>(1, x.rows) * a_stride);
  std::vector<float> values = Peaked(random, x.outputs * x.depth);
  if (x.dtype == Dtype::kBF16) {
    for (float& value : values) value = FromBF16(ToBF16(value));
  }
  const Weights weights(x.dtype, x.outputs, x.depth, values);
  const Tensor* tensors[] = {&weights.tensor};
  const PackedMatrix packed = Pack(job, Format(ActiveKernels(), x.compute), tensors);
  EXPECT(packed.outputs() == x.outputs && packed.depth() == x.depth);
  std::vector<float> before(x.rows * c_stride, kUntouched);
  if (x.accumulate) before = Peaked(random, x.rows * c_stride);
  std::vector<float> c = before;
  Matmul(job, a.data(), a_stride, x.rows, packed, c.data(), c_stride, x.accumulate);
  ExpectProduct(x, a, a_stride, values, before, c, c_stride, 0, x.outputs);
}

// Around the tile (6 or 14 rows), the block of 112 rows, the panel of 32 outputs, and the passes of 1024 items.
const std::vector<int64_t>& Rows() {
  static const int64_t tile = ActiveKernels().tile_rows;
  static const std::vector<int64_t> rows = {1, tile - 1, tile, tile + 1, 2 * tile + 3, 111, 112, 113};
  return rows;
}
constexpr int64_t kOutputs[] = {1, 31, 32, 33, 97};
constexpr int64_t kDepths[] = {1, 2, 3, 63, 64, 65, 127, 255, 256, 257, 1023, 1024, 1025, 2049};

void TestAllShapes(Compute compute) {
  uint32_t seed = 1;
  // Every depth with every number of outputs; rows and the rest take turns, so that pairs of all meet.
  for (const int64_t depth : kDepths) {
    for (const int64_t outputs : kOutputs) {
      for (int turn = 0; turn < 3; ++turn, ++seed) {
        const int64_t rows = Rows()[seed % Rows().size()];
        TestMatmul({compute, seed % 5 == 0 ? Dtype::kBF16 : Dtype::kF32, rows, outputs, depth, seed % 2 == 0}, seed);
      }
    }
  }
  for (const int64_t rows : Rows()) TestMatmul({compute, Dtype::kF32, rows, 67, 131, false}, seed++);
}

TEST("products in f32 are within rounding of sums in doubles") { TestAllShapes(Compute::kF32); }

TEST("products in bf16 are within rounding of sums of rounded factors in doubles") { TestAllShapes(Compute::kBF16); }

TEST("a product of no rows writes nothing") {
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) TestMatmul({compute, Dtype::kF32, 0, 33, 17, false}, 1);
}

TEST("f16 weights are widened exactly") {
  Job job;
  std::vector<uint16_t> halves;
  for (int64_t i = 0; i < 40 * 6; ++i) halves.push_back(static_cast<uint16_t>((i * 263) % 0x7c00));
  const Tensor tensor{reinterpret_cast<const std::byte*>(halves.data()), Dtype::kF16, 40, 6, nullptr, "t"};
  const Tensor* tensors[] = {&tensor};
  const PackedMatrix packed = Pack(job, Format(ActiveKernels(), Compute::kF32), tensors);
  for (int64_t k = 0; k < 6; ++k) {
    std::vector<float> a(6), c(40);
    a[k] = 1;
    Matmul(job, a.data(), 6, 1, packed, c.data(), 40, false);
    for (int64_t j = 0; j < 40; ++j) EXPECT(c[j] == FromF16(halves[j * 6 + k]), "output ", j, ", input ", k);
  }
}

TEST("stacked tensors of several dtypes give their outputs one under the other") {
  Random random(5);
  Job job;
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    constexpr int64_t kDepth = 19;
    const Case x{compute, Dtype::kF32, 9, 7 + 40 + 1, kDepth, false};
    std::vector<float> values = random.Normals(x.outputs * kDepth);
    for (int64_t i = 7 * kDepth; i < 47 * kDepth; ++i) values[i] = FromBF16(ToBF16(values[i]));
    const auto part = [&](int64_t begin, int64_t end) { return std::vector<float>(values.begin() + begin * kDepth, values.begin() + end * kDepth); };
    const Weights first(Dtype::kF32, 7, kDepth, part(0, 7)), second(Dtype::kBF16, 40, kDepth, part(7, 47)), third(Dtype::kF32, 1, kDepth, part(47, 48));
    const Tensor* tensors[] = {&first.tensor, &second.tensor, &third.tensor};
    const PackedMatrix packed = Pack(job, Format(ActiveKernels(), compute), tensors);
    const std::vector<float> a = random.Normals(x.rows * kDepth);
    std::vector<float> before(x.rows * x.outputs, kUntouched), c = before;
    Matmul(job, a.data(), kDepth, x.rows, packed, c.data(), x.outputs, false);
    ExpectProduct(x, a, kDepth, values, before, c, x.outputs, 0, x.outputs);
  }
}

TEST("a block of panels is that part of the product, and touches nothing else") {
  Random random(6);
  Job job;
  constexpr int64_t kOutputsHere = 4 * kPanel + 11, kDepth = 301;
  const std::vector<float> values = Peaked(random, kOutputsHere * kDepth);
  const Weights weights(Dtype::kF32, kOutputsHere, kDepth, values);
  const Tensor* tensors[] = {&weights.tensor};
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    const PackedMatrix packed = Pack(job, Format(ActiveKernels(), compute), tensors);
    for (const auto& [first, panels] : {std::pair<int64_t, int64_t>{0, 1}, {1, 2}, {2, 3}, {4, 1}, {0, 5}}) {
      for (const bool accumulate : {false, true}) {
        const int64_t count = std::min(panels * kPanel, kOutputsHere - first * kPanel), c_stride = count + 7;
        const Case x{compute, Dtype::kF32, 23, kOutputsHere, kDepth, accumulate};
        const std::vector<float> a = Peaked(random, x.rows * kDepth);
        const std::vector<float> before = random.Normals(x.rows * c_stride);
        std::vector<float> c = before;
        PackedRows inputs;
        inputs.Reserve(packed.format(), x.rows, kDepth);
        const int64_t tile_rows = ActiveKernels().tile_rows;
        for (int64_t row = 0; row < x.rows; row += tile_rows) inputs.FillTile(packed.format(), row, a.data() + row * kDepth, kDepth);
        MultiplyPanels(inputs, 0, x.rows, packed, first, panels, c.data(), c_stride, accumulate);
        ExpectProduct(x, a, kDepth, values, before, c, c_stride, first * kPanel, count);
      }
    }
  }
}

TEST("a row computed alone has the same bits as among others, whatever the threads") {
  Random random(7);
  Job job;
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    for (const int64_t depth : {5, 256, 700}) {
      constexpr int64_t kRows = 115, kOutputsHere = 70;
      const Weights weights(Dtype::kF32, kOutputsHere, depth, Peaked(random, kOutputsHere * depth));
      const Tensor* tensors[] = {&weights.tensor};
      const PackedMatrix packed = Pack(job, Format(ActiveKernels(), compute), tensors);
      const std::vector<float> a = Peaked(random, kRows * depth);
      std::vector<float> together(kRows * kOutputsHere), alone(kOutputsHere), limited(kRows * kOutputsHere);
      Matmul(job, a.data(), depth, kRows, packed, together.data(), kOutputsHere, false);
      ThreadPool::Process().Limit(1);
      Matmul(job, a.data(), depth, kRows, packed, limited.data(), kOutputsHere, false);
      ThreadPool::Process().Limit(0);
      EXPECT(std::memcmp(together.data(), limited.data(), together.size() * 4) == 0, "one thread, depth ", depth);
      for (int64_t row = 0; row < kRows; ++row) {
        Matmul(job, a.data() + row * depth, depth, 1, packed, alone.data(), kOutputsHere, false);
        EXPECT(std::memcmp(alone.data(), together.data() + row * kOutputsHere, kOutputsHere * 4) == 0, "row ", row, ", depth ", depth);
      }
    }
  }
}

TEST("in f32, leaving out inputs that are zero changes no bit") {
  Random random(8);
  Job job;
  for (const int64_t depth : {3, 100, 256, 300, 777}) {
    for (const double share : {0.05, 0.5, 0.95}) {
      for (const bool accumulate : {false, true}) {
        constexpr int64_t kRows = 17, kOutputsHere = 40;
        const std::vector<uint32_t> keep = random.Indices(depth, share);
        const int64_t kept = static_cast<int64_t>(keep.size());
        if (kept == 0) continue;
        const std::vector<float> all = Peaked(random, kOutputsHere * depth);
        std::vector<float> a(kRows * depth), few_a(kRows * kept), few(kOutputsHere * kept);
        for (int64_t i = 0; i < kept; ++i) {
          for (int64_t row = 0; row < kRows; ++row) a[row * depth + keep[i]] = few_a[row * kept + i] = static_cast<float>(random.Normal());
          for (int64_t output = 0; output < kOutputsHere; ++output) few[output * kept + i] = all[output * depth + keep[i]];
        }
        const Weights all_weights(Dtype::kF32, kOutputsHere, depth, all), few_weights(Dtype::kF32, kOutputsHere, kept, few);
        const Tensor* all_tensors[] = {&all_weights.tensor};
        const Tensor* few_tensors[] = {&few_weights.tensor};
        const PackedMatrix all_packed = Pack(job, Format(ActiveKernels(), Compute::kF32), all_tensors);
        const PackedMatrix few_packed = Pack(job, Format(ActiveKernels(), Compute::kF32), few_tensors);
        std::vector<float> c = random.Normals(kRows * kOutputsHere), few_c = c;
        Matmul(job, a.data(), depth, kRows, all_packed, c.data(), kOutputsHere, accumulate);
        Matmul(job, few_a.data(), kept, kRows, few_packed, few_c.data(), kOutputsHere, accumulate);
        EXPECT(std::memcmp(c.data(), few_c.data(), c.size() * 4) == 0, kept, " of ", depth, " inputs");
      }
    }
  }
}

TEST("a cancelled job computes no product") {
  Job job;
  const Weights weights(Dtype::kF32, 3, 2, {1, 2, 3, 4, 5, 6});
  const Tensor* tensors[] = {&weights.tensor};
  const PackedMatrix packed = Pack(job, Format(ActiveKernels(), Compute::kF32), tensors);
  job.Cancel();
  const float a[] = {1, 1};
  float c[3] = {kUntouched};
  EXPECT(testing::CodeOf([&] { Matmul(job, a, 2, 1, packed, c, 3, false); }) == "ERR_ABORTED");
  EXPECT(testing::CodeOf([&] { Pack(job, Format(ActiveKernels(), Compute::kF32), tensors); }) == "ERR_ABORTED");
  EXPECT(c[0] == kUntouched);
}

}  // namespace
}  // namespace flab
