#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

struct Case {
  int64_t rows, neurons;
  bool bias = false, mask = false, sums = false;
  double spread = 2;   // of gates and ups
  int64_t offset = 0;  // floats between what memory is aligned to and the input
};

constexpr double kBefore = 0.5;  // what is in the sums before

struct Input {
  std::vector<float> gate_up, bias;
  std::vector<uint8_t> keep;
};

Input MakeInput(const Case& c) {
  testing::Random random(5);
  Input input;
  input.gate_up = random.Normals(c.rows * 2 * c.neurons, c.spread);
  input.bias = random.Normals(2 * c.neurons);
  for (int64_t i = 0; i < c.neurons; ++i) input.keep.push_back(c.mask ? static_cast<uint8_t>(random.Below(3)) : 1);
  return input;
}

struct Activation {
  double a, off;  // off: by how much it may be, before it is rounded
};

Activation Expected(const Case& c, const Input& input, int64_t row, int64_t neuron) {
  if (!input.keep[neuron]) return {0, 0};
  double gate = input.gate_up[row * 2 * c.neurons + neuron], up = input.gate_up[(row * 2 + 1) * c.neurons + neuron];
  if (c.bias) {
    gate += input.bias[neuron];
    up += input.bias[c.neurons + neuron];
  }
  const double a = gate / (1 + std::exp(-gate)) * up;
  // Of the power's exponent three factors are rounded: the biased gate, log2 e, their product; each moves the power by the size of
  // the gate. The power is off by 2 units in the last place, 4 roundings. Then 1 + it, the quotient, the biased gate again, the biased
  // up, the product. A power that is too large for f32 is infinite: the quotient would then be below 2^-119.
  const double roundings = 3 * std::fabs(gate) + 4 + 5;
  return {a, std::fabs(a) * roundings * 0x1p-24 + std::fabs(up) * 0x1p-119};
}

void CheckActivations(const Case& c, const Input& input, int32_t dtype, const std::vector<double>& got) {
  for (int64_t row = 0; row < c.rows; ++row) {
    for (int64_t i = 0; i < c.neurons; ++i) {
      const Activation expected = Expected(c, input, row, i);
      const double value = got[row * c.neurons + i];
      const double tolerance = expected.off * (1 + RoundingOf(dtype)) + (dtype == FLAB_BF16 ? std::fabs(expected.a) * RoundingOf(dtype) : 0);
      EXPECT(testing::Near(value, expected.a, tolerance), "dtype ", dtype, " row ", row, " neuron ", i, ": ", value, " for ", expected.a);
    }
  }
}

void CheckSums(const Case& c, const Input& input, const std::vector<double>& sums) {
  for (int64_t i = 0; i < c.neurons; ++i) {
    double expected[3] = {}, off[3] = {}, size[3] = {};
    for (int64_t row = 0; row < c.rows; ++row) {
      const Activation activation = Expected(c, input, row, i);
      const double a = activation.a, magnitude = std::fabs(a);
      const double terms[3] = {a, magnitude, a * a}, offs[3] = {activation.off, activation.off, 2 * magnitude * activation.off + a * a * 0x1p-24};
      for (int sum = 0; sum < 3; ++sum) {
        expected[sum] += terms[sum];
        size[sum] += std::fabs(terms[sum]);
        off[sum] += offs[sum];
      }
    }
    for (int sum = 0; sum < 3; ++sum) {
      // FLAB_SUM_ROWS rows are added in f32.
      const double tolerance = off[sum] + size[sum] * (FLAB_SUM_ROWS * 0x1p-24) + kBefore * 0x1p-50;
      const double value = sums[sum * c.neurons + i];
      EXPECT(testing::Near(value, kBefore + expected[sum], tolerance), "sum ", sum, " neuron ", i, ": ", value, " for ", kBefore + expected[sum]);
    }
  }
}

void Check(const Case& c, int32_t dtype) {
  const Input input = MakeInput(c);
  const int64_t count = c.rows * c.neurons, blocks = (c.rows + FLAB_SUM_ROWS - 1) / FLAB_SUM_ROWS;
  const Memory gate_up((2 * count + c.offset) * 4), bias = ToDevice(input.bias), keep = ToDevice(input.keep), out(count * 4),
               sums = ToDevice(std::vector<double>(3 * c.neurons, kBefore)), scratch(blocks * 3 * c.neurons * 4);
  Upload(gate_up.as<float>() + c.offset, input.gate_up.data(), 2 * count * 4);
  const FlabSwiglu call{.gate_up = gate_up.as<float>() + c.offset,
                        .bias = c.bias ? bias.as<float>() : nullptr,
                        .keep = c.mask ? keep.as<uint8_t>() : nullptr,
                        .out = out.data(),
                        .sums = c.sums ? sums.as<double>() : nullptr,
                        .scratch = c.sums ? scratch.as<float>() : nullptr,
                        .rows = c.rows,
                        .neurons = c.neurons,
                        .dtype = dtype};
  Expect(Backend().swiglu(Device(), &call), "swiglu");
  CheckActivations(c, input, dtype, NumbersFromDevice(out.data(), dtype, count));
  if (c.sums) CheckSums(c, input, FromDevice<double>(sums.data(), 3 * c.neurons));
}

void CheckBoth(const Case& c) {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) Check(c, dtype);
}

TEST("backend: swiglu is that of doubles, with and without biases and neurons left out") {
  for (const bool bias : {false, true}) {
    for (const bool mask : {false, true}) CheckBoth({.rows = 33, .neurons = 132, .bias = bias, .mask = mask});
  }
}

TEST("backend: sums of activations are those of doubles, and are added to what is there") {
  for (const int64_t rows : {1, 63, 64, 65, 130}) CheckBoth({.rows = rows, .neurons = 36, .bias = true, .mask = true, .sums = true});
  CheckBoth({.rows = 70, .neurons = 260, .sums = true});
}

TEST("backend: swiglu takes any number of neurons and any alignment") {
  CheckBoth({.rows = 66, .neurons = 33, .bias = true, .mask = true, .sums = true});
  CheckBoth({.rows = 3, .neurons = 1, .sums = true});
  CheckBoth({.rows = 9, .neurons = 64, .offset = 1});
}

TEST("backend: swiglu takes gates whose powers no f32 can hold") {
  CheckBoth({.rows = 40, .neurons = 64, .bias = true, .sums = true, .spread = 100});
}

TEST("backend: swiglu of no rows leaves the sums as they are") { CheckBoth({.rows = 0, .neurons = 8, .sums = true}); }

TEST("backend: swiglu gives the same sums every time, and in both dtypes") {
  const Case c{.rows = 130, .neurons = 36};
  const Input input = MakeInput(c);
  const Memory gate_up = ToDevice(input.gate_up), out(c.rows * c.neurons * 4), scratch(3 * 3 * c.neurons * 4);
  std::vector<std::vector<double>> results;
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16, FLAB_F32}) {
    const Memory sums = ToDevice(std::vector<double>(3 * c.neurons));
    const FlabSwiglu call{.gate_up = gate_up.as<float>(),
                          .bias = nullptr,
                          .keep = nullptr,
                          .out = out.data(),
                          .sums = sums.as<double>(),
                          .scratch = scratch.as<float>(),
                          .rows = c.rows,
                          .neurons = c.neurons,
                          .dtype = dtype};
    Expect(Backend().swiglu(Device(), &call), "swiglu");
    results.push_back(FromDevice<double>(sums.data(), 3 * c.neurons));
  }
  EXPECT(results[0] == results[1] && results[0] == results[2]);
}

}  // namespace
}  // namespace flab::conformance
