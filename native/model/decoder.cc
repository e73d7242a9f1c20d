#include "model/decoder.h"

#include <algorithm>
#include <cmath>

namespace flab {
namespace {

// Scratch memory of one batch in floats (16M floats = 64 MB): large enough that packing and starting
// threads cost little, small against the weights.
constexpr int64_t kBatchFloats = int64_t{16} << 20;

thread_local Buffer<float> attention_scratch;

void AddBias(const std::vector<float>& bias, int64_t rows, float* x, int64_t stride) {
  if (bias.empty()) return;
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < bias.size(); ++i) x[row * stride + i] += bias[i];
  }
}

}  // namespace

Decoder::Decoder(Job& job, Model& model, const Texts& texts) : job_(job), model_(model), texts_(texts) {
  const ModelSpec& spec = model.spec;
  const int64_t half = spec.head_width / 2;
  int64_t longest = 0;
  for (int64_t i = 0; i < texts.count(); ++i) longest = std::max(longest, texts.length(i));
  cosine_.resize(longest * half);
  sine_.resize(longest * half);
  for (int64_t t = 0; t < longest; ++t) {
    for (int64_t i = 0; i < half; ++i) {
      // The angle is rounded to f32, as in transformers.
      const float angle = static_cast<float>(t) * spec.inverse_frequencies[i];
      cosine_[t * half + i] = static_cast<float>(std::cos(static_cast<double>(angle))) * spec.rotary_scale;
      sine_[t * half + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * spec.rotary_scale;
    }
  }
  const int64_t floats_per_row = spec.width + spec.query_width() * 2 + spec.kv_width() * 2 + 3 * spec.ffn_width;
  batch_rows_ = std::max<int64_t>(kBlockRows, kBatchFloats / floats_per_row);
}

void Decoder::Embed(float* x) const {
  const int64_t width = model_.spec.width;
  for (int64_t t = 0; t < tokens(); ++t) {
    Widen(model_.embedding, static_cast<int64_t>(texts_.ids[texts_.offsets[0] + t]) * width, width, x + t * width);
  }
}

void Decoder::RunLayer(int64_t index, float* x, int64_t states, const LayerOptions& options) {
  const auto layer = model_.Layer(job_, index);
  for (const Batch& batch : Batches(states)) {
    float* rows = x + batch.first_row * model_.spec.width;
    Attention(index, *layer, batch, rows);
    Ffn(*layer, batch, rows, options);
    job_.Advance(batch.rows());
  }
}

std::vector<Decoder::Batch> Decoder::Batches(int64_t states) const {
  std::vector<Batch> batches;
  int64_t row = 0;
  for (int64_t state = 0; state < states; ++state) {
    for (int64_t text = 0; text < texts_.count(); ++text) {
      const int64_t length = texts_.length(text);
      if (batches.empty() || batches.back().rows() + length > batch_rows_) batches.push_back({row, {0}});
      batches.back().offsets.push_back(batches.back().rows() + length);
      row += length;
    }
  }
  return batches;
}

void Decoder::Attention(int64_t index, const PackedLayer& layer, const Batch& batch, float* x) {
  const ModelSpec& spec = model_.spec;
  const Kernels& kernels = model_.kernels;
  const int64_t rows = batch.rows(), qkv_width = layer.qkv.outputs();
  float* normed = normed_.Reserve(rows * std::max(spec.width, spec.query_width()));
  job_.Parallel(rows, [&](int64_t row) {
    kernels.rms_norm(x + row * spec.width, layer.input_norm.data(), spec.width, spec.norm_eps, normed + row * spec.width);
  });
  float* qkv = wide_.Reserve(rows * std::max(qkv_width, 2 * spec.ffn_width));
  Matmul(job_, kernels, normed, spec.width, rows, layer.qkv, qkv, qkv_width, false);
  AddBias(layer.qkv_bias, rows, qkv, qkv_width);
  RotateHeads(layer, batch, qkv);

  float* mixed = normed;  // [rows, H * E]; the normalised input is used up
  const int64_t texts = static_cast<int64_t>(batch.offsets.size()) - 1, group = spec.query_heads / spec.kv_heads;
  job_.Parallel(texts * spec.kv_heads, [&](int64_t task) {
    const int64_t text = task / spec.kv_heads, head = task % spec.kv_heads;
    const int64_t first = batch.offsets[text], length = batch.offsets[text + 1] - first;
    const float* row = qkv + first * qkv_width;
    kernels.attend({.query = row + head * group * spec.head_width,
                    .key = row + spec.query_width() + head * spec.head_width,
                    .value = row + spec.query_width() + spec.kv_width() + head * spec.head_width,
                    .out = mixed + first * spec.query_width() + head * group * spec.head_width,
                    .query_stride = qkv_width,
                    .kv_stride = qkv_width,
                    .out_stride = spec.query_width(),
                    .tokens = length,
                    .head_width = spec.head_width,
                    .query_heads = group,
                    .window = spec.windows[index],
                    .scale = 1 / std::sqrt(static_cast<float>(spec.head_width)),
                    .scratch = attention_scratch.Reserve(AttentionScratch(length, spec.head_width))});
  });
  AddBias(layer.output_bias, rows, x, spec.width);
  Matmul(job_, kernels, mixed, spec.query_width(), rows, layer.output, x, spec.width, true);
}

void Decoder::RotateHeads(const PackedLayer& layer, const Batch& batch, float* qkv) const {
  const ModelSpec& spec = model_.spec;
  const Kernels& kernels = model_.kernels;
  const int64_t half = spec.head_width / 2, texts = static_cast<int64_t>(batch.offsets.size()) - 1;
  job_.Parallel(texts, [&](int64_t text) {
    for (int64_t row = batch.offsets[text]; row < batch.offsets[text + 1]; ++row) {
      const int64_t position = row - batch.offsets[text];
      for (int64_t head = 0; head < spec.query_heads + spec.kv_heads; ++head) {
        float* values = qkv + row * layer.qkv.outputs() + head * spec.head_width;
        const auto& norm = head < spec.query_heads ? layer.query_norm : layer.key_norm;
        if (!norm.empty()) kernels.rms_norm(values, norm.data(), spec.head_width, spec.norm_eps, values);
        kernels.rotate(values, &cosine_[position * half], &sine_[position * half], half);
      }
    }
  });
}

void Decoder::Ffn(const PackedLayer& layer, const Batch& batch, float* x, const LayerOptions& options) {
  const ModelSpec& spec = model_.spec;
  const Kernels& kernels = model_.kernels;
  const int64_t rows = batch.rows(), neurons = spec.ffn_width;
  float* normed = normed_.Reserve(rows * spec.width);
  job_.Parallel(rows, [&](int64_t row) {
    kernels.rms_norm(x + row * spec.width, layer.ffn_norm.data(), spec.width, spec.norm_eps, normed + row * spec.width);
  });
  float* gate_up = wide_.Reserve(rows * 2 * neurons);
  Matmul(job_, kernels, normed, spec.width, rows, layer.gate_up, gate_up, 2 * neurons, false);
  AddBias(layer.gate_up_bias, rows, gate_up, 2 * neurons);

  float* activations = narrow_.Reserve(rows * neurons);
  job_.Parallel(rows, [&](int64_t row) {
    const float* gate = gate_up + row * 2 * neurons;
    float* out = activations + row * neurons;
    kernels.swiglu(gate, gate + neurons, neurons, out);
    if (!options.neurons) return;
    int64_t next = 0;
    for (const uint32_t kept : *options.neurons) {
      std::fill(out + next, out + kept, 0.f);
      next = kept + 1;
    }
    std::fill(out + next, out + neurons, 0.f);
  });
  if (options.sums) Accumulate(activations, rows, *options.sums);
  AddBias(layer.down_bias, rows, x, spec.width);
  Matmul(job_, kernels, activations, neurons, rows, layer.down, x, spec.width, true);
}

void Decoder::Accumulate(const float* activations, int64_t rows, NeuronSums& sums) const {
  constexpr int64_t kBlock = 64;  // neurons a task: two cache lines of each row
  const int64_t neurons = model_.spec.ffn_width;
  job_.Parallel((neurons + kBlock - 1) / kBlock, [&](int64_t block) {
    const int64_t end = std::min(neurons, (block + 1) * kBlock);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t j = block * kBlock; j < end; ++j) {
        const double a = activations[row * neurons + j];
        sums.sum[j] += a;
        sums.sum_abs[j] += std::fabs(a);
        sums.sum_squares[j] += a * a;
      }
    }
  });
  sums.tokens += rows;
}

void Decoder::FinalNorm(const float* x, std::span<const int64_t> rows, float* out, int64_t out_stride) const {
  const int64_t width = model_.spec.width;
  for (size_t i = 0; i < rows.size(); ++i) {
    model_.kernels.rms_norm(x + rows[i] * width, model_.final_norm.data(), width, model_.spec.norm_eps, out + i * out_stride);
  }
}

}  // namespace flab
