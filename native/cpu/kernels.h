#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace flab {

// Outputs of one panel of a packed weight matrix. All instruction sets share the layout.
constexpr int64_t kPanel = 32;

// Rows whose halves are summed in f32 before they go on in doubles.
constexpr int64_t kRunRows = 16;

// Running sums of KL(P || Q) over one row of logits l (of P) and s (of Q), tile by tile, with w = e^(l - max)
// and d = (s - l) - guess. sum w e^d is w + d + g, and nothing cancels in it where the guess is near the mean:
// then d is near zero. Divergence() (cpu/divergence.h) finishes.
struct DivergenceSums {
  double max = -1e300;  // about the largest l so far
  double guess = 0;     // near the mean of s - l
  double w = 0;         // sum w
  double d = 0;         // sum w d
  double g = 0;         // sum w (expm1(d) - d), no term below zero
  bool far = false;  // some d was so large that rounding or clamping of weights counts: the divergence is good to a few digits only
};

// log(sum e^l) = max + log(sum), tile by tile.
struct LogSumExp {
  double max = -1e300;
  double sum = 0;
};

// One step of gathering items of a row: of the window that starts at byte `from`, the items that the step's pattern
// names go to the output, `bytes` together.
struct GatherStep {
  int64_t from, bytes;
};

// Runs steps one after the other and returns the output's end. Each reads its whole window and writes a whole vector, so
// up to a vector past that end. A pattern has one byte for each unit of the vector: the unit's place in the window.
using GatherFunction = std::byte* (*)(const std::byte* row, const GatherStep* steps, const uint8_t* patterns, int64_t count,
                                      std::byte* out);

// A way to gather; sizes in bytes. Unit 0: no patterns, a step copies the front of its window.
struct Gather {
  int64_t window = 0, vector = 0, unit = 0;
  GatherFunction run = nullptr;
};

// One implementation of the arithmetic, compiled for one instruction set. Nothing here allocates, locks
// or knows threads; empty input is legal everywhere.
struct Kernels {
  const char* name;

  // c[rows, kPanel] = or += a * b for one tile of at most `tile_rows` rows.
  // a: [depth, rows], b: [depth, kPanel], each output summed in the order of depth, so leaving out inputs
  // that are zero changes no bit. `accumulate` starts from c.
  int64_t tile_rows;
  void (*tile_f32)(int64_t rows, int64_t depth, const float* a, const float* b, float* c, int64_t c_stride, bool accumulate);

  // The same on pairs of bf16, summed in f32: a: [depth / 2, rows] pairs, b: [depth / 2, kPanel] pairs.
  // Null where the processor has no such product; then bf16 factors are widened to f32.
  void (*tile_bf16)(int64_t rows, int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t c_stride, bool accumulate);

  // out[k * count + i] = rows[i][k]: rows of items of 4 bytes, at any alignment, in the order that a product reads.
  void (*interleave)(const uint32_t* const* rows, int64_t count, int64_t items, uint32_t* out);

  // Rounds to nearest even; a NaN stays a NaN. With tile_bf16, numbers below 2^-126 may become zero: its product takes them so.
  void (*to_bf16)(const float* in, int64_t count, uint16_t* out);

  // out = in / sqrt(mean(in^2) + eps) * weight
  void (*rms_norm)(const float* in, const float* weight, int64_t count, float eps, float* out);

  // out = gate / (1 + e^-gate) * up
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* out);

  // Rotates one head: (x[i], x[i + half]) by the angle whose cosine and sine are given.
  void (*rotate)(float* head, const float* cosine, const float* sine, int64_t half);

  // Scores [first, last] of one row become e^(scale * (score - their maximum)), all others of [begin, end) zero.
  // begin and end are multiples of kPanel. Returns the sum.
  float (*softmax)(float* scores, int64_t begin, int64_t end, int64_t first, int64_t last, float scale);

  // l and s of one dtype, not necessarily aligned.
  void (*divergence_tile)(Dtype dtype, const void* l, const void* s, int64_t count, DivergenceSums& sums);
  void (*log_sum_exp_tile)(const float* l, int64_t count, LogSumExp& sums);

  // Copies whole cache lines without bringing the target into the caches, where the processor can. All addresses and sizes are
  // multiples of 64. A store fence must follow before another thread may read.
  void (*store_past_caches)(const std::byte* lines, int64_t bytes, std::byte* to);

  // Of items of any size, and of a multiple of 2 bytes. Empty where the processor has no such shuffle.
  Gather gather_narrow, gather_wide;
  // Adds each column's values, their magnitudes and their squares to sums [columns], in the order of rows: rows that
  // come in several calls give the same bits; of halves, where each call but the last has a multiple of kRunRows.
  // Rows are `stride` elements apart and not necessarily aligned. Squares of bf16 from 2^64 on are infinite.
  void (*sum_neurons)(Dtype dtype, const void* values, int64_t stride, int64_t rows, int64_t columns, double* sum, double* sum_abs,
                      double* sum_squares);
  void (*sum_column_squares)(Dtype dtype, const void* values, int64_t stride, int64_t rows, int64_t columns, double* squares);
  double (*sum_squares)(Dtype dtype, const void* values, int64_t count);
};

// The best implementation this processor runs, or the one that FLAB_CPU names. Throws
// Error("ERR_BAD_ARGUMENT") if FLAB_CPU is unknown or not available here.
const Kernels& ActiveKernels();

}  // namespace flab
