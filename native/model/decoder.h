#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/job.h"
#include "model/engine.h"

namespace flab {

// The decoder, layer by layer, over packed texts: no padding, no attention between texts. The residual
// stream is f32 [tokens, D]; several states of the same texts (the model and its candidates) lie one after
// the other, [states, tokens, D], and go through a layer's weights together.
//
// A layer is three loops over all threads: norm, projection and rotation of blocks of rows; attention of texts and
// heads; output projection and FFN of blocks of rows, whose intermediate values never leave the cache.
class Decoder {
 public:
  // `batch_rows`: rows that go through a layer at a time, or one text if that is longer. It changes no result.
  Decoder(Job& job, const Model& model, const Texts& texts, int64_t batch_rows = 4096);

  // x[t] = the embedding of token t, [tokens, D].
  void Embed(float* x) const;

  // x = layer(x) for `states` states, [states, tokens, D]. The layer is packed for the call, unless it ran last.
  // Advances the job by states * tokens.
  void RunLayer(int64_t index, float* x, int64_t states, const LayerOptions& options = {});

  // out[i] = the final norm of x[rows[i]]; x [tokens, D].
  void FinalNorm(const float* x, std::span<const int64_t> rows, float* out, int64_t out_stride) const;

  int64_t tokens() const { return texts_.tokens(); }

  // Bytes that a pass takes besides the states and the layer: a batch of texts, of which the longest has `longest` tokens, and
  // each thread's own.
  static int64_t ScratchBytes(const Model& model, int64_t longest, int64_t batch_rows);

 private:
  // A run of whole texts: rows of the states, and each text's first row in it.
  struct Batch {
    int64_t first_row;
    std::vector<int64_t> offsets;
    int64_t rows() const { return offsets.back(); }
    int64_t texts() const { return static_cast<int64_t>(offsets.size()) - 1; }
    int64_t last_row(int64_t text) const { return offsets[text + 1] - 1; }
  };

  std::vector<Batch> Batches(int64_t states) const;
  void Project(const PackedLayer& layer, const Batch& batch, const float* x, bool last_only);
  void ProjectRows(const PackedLayer& layer, const float* x, int64_t rows, int64_t first_panel, int64_t panels, float* out) const;
  void RotateRow(const PackedLayer& layer, int64_t position, int64_t first_head, int64_t end_head, float* qkv) const;
  void Attention(int64_t index, const Batch& batch, bool last_only);
  void Finish(const PackedLayer& layer, const Batch& batch, float* x, const LayerOptions& options);
  void FinishRows(const PackedLayer& layer, const float* mixed, int64_t rows, float* x, const float* keep, double* sums) const;

  Job& job_;
  const Model& model_;
  const Texts texts_;
  const int64_t qkv_width_, batch_rows_;
  int64_t packed_index_ = -1;
  std::optional<PackedLayer> packed_;  // the layer that ran last
  std::vector<float> cosine_, sine_;  // [longest text, E / 2]
  Buffer<float> qkv_, mixed_;         // [rows of a batch, query, key and value], [rows, query]
};

}  // namespace flab
