#pragma once

#include "device/context.h"
#include "model/engine.h"

namespace flab {

// Rows that go through a layer together: of one state some whole texts, or several whole states of all texts.
struct RowBatch {
  int64_t states, state_rows;       // rows of a state in the batch, one after the other
  const FlabQueries* tiles;         // of attention, rows counted from the state's first in the batch
  int64_t tile_count;
  const FlabQueries* last_tiles;    // [texts]: the last query of each text
  const uint32_t* last_rows;        // [states, texts] the last row of each text, counted from the batch's first
  int64_t texts;
  const int32_t* positions;         // [state_rows] of rows in their texts

  int64_t rows() const { return states * state_rows; }
};

// The steps of a decoder layer on a device, in memory that all layers use in turn.
class LayerPass {
 public:
  // For batches of at most `rows` rows, of which at most `last_rows` are last ones; texts of at most `longest` tokens.
  LayerPass(DeviceContext& context, int64_t rows, int64_t last_rows, int64_t longest);

  // x [rows, D] f32 goes through the layer. keep [F], may be null; sums [3, F], may be null.
  void Run(const DeviceLayer& layer, int32_t window, const RowBatch& batch, float* x, bool last_only, const uint8_t* keep, double* sums);

  // Memory of the device that a row takes.
  static int64_t RowBytes(const DeviceContext& context);

 private:
  void Mix(const DeviceLayer& layer, int32_t window, const RowBatch& batch, const float* x, bool last_only);
  void Finish(const DeviceLayer& layer, const void* mixed, int64_t rows, float* x, const uint8_t* keep, double* sums);
  void Multiply(const void* a, int64_t rows, int64_t depth, const void* weights, int64_t columns, float* out, bool accumulate, const char* what);

  DeviceContext& context_;
  const int64_t rows_;
  DeviceMemory cosines_, sines_;             // [longest, E / 2]
  DeviceMemory normed_, wide_, qkv_, mixed_; // [rows, D]; [rows, the widest product] f32; [rows, qkv]; [rows, H E]
  DeviceMemory activations_, sum_scratch_;   // [rows, F]; partial sums, where any are wanted
  DeviceMemory last_x_, last_mixed_;         // [last rows, D] f32; [last rows, H E]
};

}  // namespace flab
