#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/model.h"

// Models with random weights and texts of random ids: no operation's speed depends on either.

namespace flab::bench {

struct Shape {
  const char* name;
  int64_t width, layers, query_heads, kv_heads, ffn_width, vocabulary;
  bool biases = false;  // of queries, keys and values
};

enum class LayerMemory { kNone, kOfEach, kOfOneForAll };

// bf16 weights of a deviation of 0.02. With kNone the model has no layers; with kOfOneForAll all layers have the same weights, which
// are made once.
std::shared_ptr<Model> MakeModel(const Shape& shape, Compute compute, LayerMemory layers = LayerMemory::kOfEach);

// Texts of equal length, of ids below `vocabulary` and 40,000.
struct SomeTexts {
  SomeTexts(int64_t count, int64_t length, int64_t vocabulary);
  std::vector<int32_t> ids, offsets;
  Texts texts() const { return {ids, offsets}; }
};

ModelView Whole(const Model& model);

// Floating-point operations of a forward pass, and of a sweep that removes each layer, where logits are wanted of `head_tokens` tokens
// of each text; 0: none.
double ForwardFlops(const Shape& shape, int64_t texts, int64_t length, int64_t head_tokens);
double SweepFlops(const Shape& shape, int64_t texts, int64_t length, int64_t head_tokens);

// A JSON list.
std::string AsJson(std::span<const Shape> shapes);

}  // namespace flab::bench
