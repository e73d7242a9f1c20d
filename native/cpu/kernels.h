#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace flab {

// Outputs of one panel of a packed weight matrix. All instruction sets share the layout.
constexpr int64_t kPanel = 32;

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

// Causal attention of the query heads that share one key/value head, over one text.
struct AttentionTask {
  const float* query;  // [tokens, query_stride]; head h starts at h * head_width
  const float* key;    // [tokens, kv_stride]
  const float* value;  // [tokens, kv_stride]
  float* out;          // [tokens, out_stride]; head h starts at h * head_width
  int64_t query_stride, kv_stride, out_stride;
  int64_t tokens, head_width, query_heads;
  int64_t window;  // tokens that a token sees, itself included; 0: all before it
  float scale;
  float* scratch;  // AttentionScratch(tokens, head_width) floats, 64-byte aligned
};

int64_t AttentionScratch(int64_t tokens, int64_t head_width);

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

  void (*to_bf16)(const float* in, int64_t count, uint16_t* out);

  // out = in / sqrt(mean(in^2) + eps) * weight
  void (*rms_norm)(const float* in, const float* weight, int64_t count, float eps, float* out);

  // out = gate / (1 + e^-gate) * up
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* out);

  // Rotates one head: (x[i], x[i + half]) by the angle whose cosine and sine are given.
  void (*rotate)(float* head, const float* cosine, const float* sine, int64_t half);

  void (*attend)(const AttentionTask& task);

  // l and s of one dtype, not necessarily aligned.
  void (*divergence_tile)(Dtype dtype, const void* l, const void* s, int64_t count, DivergenceSums& sums);
  void (*log_sum_exp_tile)(const float* l, int64_t count, LogSumExp& sums);
};

// The best implementation this processor runs, or the one that FLAB_CPU names. Throws
// Error("ERR_BAD_ARGUMENT") if FLAB_CPU is unknown or not available here.
const Kernels& ActiveKernels();

}  // namespace flab
