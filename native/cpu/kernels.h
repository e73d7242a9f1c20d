#pragma once

#include <cstddef>
#include <cstdint>

namespace flab {

// Outputs of one panel of a packed weight matrix. All instruction sets share the layout.
constexpr int64_t kPanel = 32;

// Running sums of KL(P || Q) over one row of logits l (of P) and s (of Q), tile by tile, with w = e^(l - max)
// and d = (s - l) - guess. Where Q is close to P, `a` and `g` do not cancel however small the divergence is;
// where it is far, `e` and `d` hold every magnitude. Divergence() (cpu/divergence.h) finishes.
struct DivergenceSums {
  double max = -1e300;
  double guess = 0;  // near the mean of s - l
  double w = 0;      // sum w
  double a = 0;      // sum w expm1(d)
  double g = 0;      // sum w (expm1(d) - d)
  double d = 0;      // sum w d
  double e = 0;      // sum w e^d
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

  void (*to_bf16)(const float* in, int64_t count, uint16_t* out);

  // out = in / sqrt(mean(in^2) + eps) * weight
  void (*rms_norm)(const float* in, const float* weight, int64_t count, float eps, float* out);

  // out = gate / (1 + e^-gate) * up
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* out);

  // Rotates one head: (x[i], x[i + half]) by the angle whose cosine and sine are given.
  void (*rotate)(float* head, const float* cosine, const float* sine, int64_t half);

  void (*attend)(const AttentionTask& task);

  void (*divergence_tile)(const float* l, const float* s, int64_t count, DivergenceSums& sums);
  void (*log_sum_exp_tile)(const float* l, int64_t count, LogSumExp& sums);

  // Copies whole cache lines without bringing the target into the caches, where the processor can. All addresses and sizes are
  // multiples of 64. A store fence must follow before another thread may read.
  void (*store_past_caches)(const std::byte* lines, int64_t bytes, std::byte* to);

  // Of items of any size, and of a multiple of 2 bytes. Empty where the processor has no such shuffle.
  Gather gather_narrow, gather_wide;
};

// The best implementation this processor runs, or the one that FLAB_CPU names. Throws
// Error("ERR_BAD_ARGUMENT") if FLAB_CPU is unknown or not available here.
const Kernels& ActiveKernels();

}  // namespace flab
