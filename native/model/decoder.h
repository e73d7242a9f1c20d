#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/job.h"
#include "model/model.h"

namespace flab {

// Sums over tokens of one layer's gated activations a_j (the input of down_proj), in token order, so that
// chunk sizes and threads change no bit. Each [F].
struct NeuronSums {
  explicit NeuronSums(int64_t neurons) : sum(neurons), sum_abs(neurons), sum_squares(neurons) {}
  std::vector<double> sum, sum_abs, sum_squares;
  int64_t tokens = 0;
};

// What one pass through a layer does besides its arithmetic.
struct LayerOptions {
  const std::vector<uint32_t>* neurons = nullptr;  // activations of all others are set to zero
  NeuronSums* sums = nullptr;
};

// The decoder, layer by layer, over packed texts: no padding, no attention between texts. The residual
// stream is f32 [tokens, D]; several states of the same texts (the model and its candidates) lie one after
// the other, [states, tokens, D], and go through a layer's weights together.
class Decoder {
 public:
  Decoder(Job& job, Model& model, const Texts& texts);

  // x[t] = the embedding of token t, [tokens, D].
  void Embed(float* x) const;

  // x = layer(x) for `states` states, [states, tokens, D]. Advances the job by states * tokens.
  void RunLayer(int64_t index, float* x, int64_t states, const LayerOptions& options = {});

  // out[i] = the final norm of x[rows[i]]; x [tokens, D].
  void FinalNorm(const float* x, std::span<const int64_t> rows, float* out, int64_t out_stride) const;

  int64_t tokens() const { return texts_.tokens(); }

 private:
  // A run of whole texts whose scratch memory fits: rows of the states, and each text's first row in it.
  struct Batch {
    int64_t first_row;
    std::vector<int64_t> offsets;
    int64_t rows() const { return offsets.back(); }
  };

  std::vector<Batch> Batches(int64_t states) const;
  void Attention(int64_t index, const PackedLayer& layer, const Batch& batch, float* x);
  void RotateHeads(const PackedLayer& layer, const Batch& batch, float* qkv) const;
  void Ffn(const PackedLayer& layer, const Batch& batch, float* x, const LayerOptions& options);
  void Accumulate(const float* activations, int64_t rows, NeuronSums& sums) const;

  Job& job_;
  Model& model_;
  const Texts texts_;
  int64_t batch_rows_;
  std::vector<float> cosine_, sine_;  // [longest text, E / 2]
  Buffer<float> normed_, wide_, narrow_;
};

}  // namespace flab
