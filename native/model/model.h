#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/tensor.h"
#include "cpu/kernels.h"
#include "cpu/matmul.h"

namespace flab {

// What the decoder has to know, as numbers. Dimensions: T tokens, D width, F FFN width, H query heads,
// K key/value heads, E head width, V vocabulary, L layers.
struct ModelSpec {
  int64_t layers, width, ffn_width, query_heads, kv_heads, head_width, vocabulary;
  float norm_eps;
  float rotary_scale;                      // on cosines and sines
  std::vector<float> inverse_frequencies;  // [E / 2] radians per position
  std::vector<int32_t> windows;            // [L] tokens that a token sees, itself included; 0: all before it

  int64_t query_width() const { return query_heads * head_width; }
  int64_t kv_width() const { return kv_heads * head_width; }
};

// Cosine and sine that coordinates i and i + E/2 of a head are rotated by at a position of a text, in f32 as transformers rounds them.
void RotationAt(const ModelSpec& spec, int64_t position, int64_t i, float* cosine, float* sine);

// Weights of a decoder layer, [outputs, inputs]; a tensor that a family does not have is empty.
struct LayerWeights {
  Tensor input_norm, query, key, value, output, query_bias, key_bias, value_bias, output_bias, query_norm, key_norm;
  Tensor ffn_norm, gate, up, down, gate_bias, up_bias, down_bias;
};

class Engine;

// A model's weights, mapped, and what it computes on. Safe to share between threads but for the engine: nothing changes.
class Model {
 public:
  // On the CPU.
  Model(ModelSpec spec, Tensor embedding, Tensor final_norm, Tensor head, std::vector<LayerWeights> layers, Compute compute);
  ~Model();

  Engine& engine() const { return *engine_; }
  void UseEngine(std::unique_ptr<Engine> engine);

  const ModelSpec spec;
  const Tensor embedding, head;
  const std::vector<float> final_norm;
  const std::vector<LayerWeights> layers;
  const Format format;

 private:
  std::unique_ptr<Engine> engine_;
};

// A layer as the kernels want it: products packed, vectors in f32 (empty where the family has none).
struct PackedLayer {
  PackedMatrix qkv, output, gate, up, down;
  std::vector<float> input_norm, qkv_bias, output_bias, query_norm, key_norm, ffn_norm, gate_bias, up_bias, down_bias;
};

// Packs layer `index`, on all threads.
PackedLayer PackLayer(const Job& job, const Model& model, int64_t index);

// Bytes that the largest layer takes packed.
int64_t PackedLayerBytes(const Model& model);

// Which parts of a model take part.
struct ModelView {
  std::vector<uint32_t> layers;                // ascending
  std::vector<std::vector<uint32_t>> neurons;  // for each of `layers`, ascending; empty: all stay
  std::vector<uint32_t> tokens;                // rows of the head, ascending

  // Of the layer at a place; null: all stay.
  const std::vector<uint32_t>* NeuronsOf(int64_t place) const { return neurons.empty() ? nullptr : &neurons[place]; }
};

// Packed texts: text i is ids[offsets[i] .. offsets[i + 1]).
struct Texts {
  std::span<const int32_t> ids;
  std::span<const int32_t> offsets;

  int64_t count() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t tokens() const { return offsets.back() - offsets.front(); }
  int64_t length(int64_t text) const { return offsets[text + 1] - offsets[text]; }
  int64_t longest() const;  // at least 1
};

// Neighbouring texts in groups of at most `max_tokens` tokens (a longer text is a group of its own).
// The groups' offsets still count from the first text of all.
std::vector<Texts> Chunks(const Texts& texts, int64_t max_tokens);

}  // namespace flab
