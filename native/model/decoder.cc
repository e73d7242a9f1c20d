#include "model/decoder.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/thread_pool.h"
#include "cpu/attention.h"

namespace flab {
namespace {

// Of one text in a task of attention: a task must end soon when it is cancelled.
constexpr int64_t kQueriesATask = 2048;

// Reused from call to call by each thread.
struct Scratch {
  PackedRows inputs, activations;
  Buffer<float> normed, gathered, tiles;
  AttentionScratch attention;
};
thread_local Scratch scratch;

void AddBias(const std::vector<float>& bias, int64_t rows, float* x, int64_t stride) {
  if (bias.empty()) return;
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < bias.size(); ++i) x[row * stride + i] += bias[i];
  }
}

// The same for a tile of kPanel columns, whose first is column `first` of the bias.
void AddBiasTile(const std::vector<float>& bias, int64_t first, int64_t count, int64_t rows, float* tile) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < count; ++i) tile[row * kPanel + i] += bias[first + i];
  }
}

// Packs rows of x, normalised, tile by tile.
void PackNormed(const Format& format, const std::vector<float>& weight, float eps, const float* x, int64_t rows, PackedRows& out) {
  const int64_t width = static_cast<int64_t>(weight.size()), tile_rows = format.kernels().tile_rows;
  out.Reserve(format, rows, width);
  float* normed = scratch.normed.Reserve(tile_rows * width);
  for (int64_t row = 0; row < rows; row += tile_rows) {
    for (int64_t i = 0; i < out.height(row); ++i) {
      format.kernels().rms_norm(x + (row + i) * width, weight.data(), width, eps, normed + i * width);
    }
    out.FillTile(format, row, normed, width);
  }
}

void PackAsIs(const Format& format, const float* x, int64_t rows, int64_t width, PackedRows& out) {
  out.Reserve(format, rows, width);
  for (int64_t row = 0; row < rows; row += format.kernels().tile_rows) out.FillTile(format, row, x + row * width, width);
}

// Runs fn(first row, rows) over blocks of whole tiles, as equal as can be. With `fixed`, their number does not depend on the threads.
void ForBlocks(const Job& job, const Kernels& kernels, int64_t rows, bool fixed, const std::function<void(int64_t, int64_t, int64_t)>& fn) {
  const int64_t tile_rows = kernels.tile_rows, tiles = (rows + tile_rows - 1) / tile_rows, block_tiles = BlockRows(kernels) / tile_rows;
  int64_t blocks = (tiles + block_tiles - 1) / block_tiles;
  if (!fixed) {
    const int64_t threads = ThreadPool::Process().threads();
    blocks = std::min(tiles, (blocks + threads - 1) / threads * threads);
  }
  job.Parallel(blocks, [&](int64_t block) {
    const int64_t first = tiles * block / blocks * tile_rows, end = std::min(rows, tiles * (block + 1) / blocks * tile_rows);
    fn(block, first, end - first);
  });
}

int64_t BlocksOf(const Kernels& kernels, int64_t rows) {
  const int64_t tiles = (rows + kernels.tile_rows - 1) / kernels.tile_rows, block_tiles = BlockRows(kernels) / kernels.tile_rows;
  return (tiles + block_tiles - 1) / block_tiles;
}

}  // namespace

Decoder::Decoder(Job& job, const Model& model, const Texts& texts, int64_t batch_rows)
    : job_(job), model_(model), texts_(texts), qkv_width_(model_.spec.query_width() + 2 * model_.spec.kv_width()), batch_rows_(batch_rows) {
  const ModelSpec& spec = model_.spec;
  const int64_t half = spec.head_width / 2;
  const int64_t longest = texts.longest();
  cosine_.resize(longest * half);
  sine_.resize(longest * half);
  for (int64_t t = 0; t < longest; ++t) {
    for (int64_t i = 0; i < half; ++i) RotationAt(spec, t, i, &cosine_[t * half + i], &sine_[t * half + i]);
  }
}

void Decoder::Embed(float* x) const {
  const int64_t width = model_.spec.width;
  for (int64_t t = 0; t < tokens(); ++t) {
    Widen(model_.embedding, static_cast<int64_t>(texts_.ids[texts_.offsets[0] + t]) * width, width, x + t * width);
  }
  Release(model_.embedding);
}

void Decoder::RunLayer(int64_t index, float* x, int64_t states, const LayerOptions& options) {
  if (index != packed_index_) {
    packed_.reset();
    packed_.emplace(PackLayer(job_, model_, index));
    packed_index_ = index;
  }
  for (const Batch& batch : Batches(states)) {
    float* rows = x + batch.first_row * model_.spec.width;
    qkv_.Reserve(batch.rows() * qkv_width_);
    mixed_.Reserve(batch.rows() * model_.spec.query_width());
    Project(*packed_, batch, rows, options.last_only);
    Attention(index, batch, options.last_only);
    Finish(*packed_, batch, rows, options);
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

// Queries, keys and values of all rows, rotated; with last_only, queries of the last rows only.
void Decoder::Project(const PackedLayer& layer, const Batch& batch, const float* x, bool last_only) {
  const ModelSpec& spec = model_.spec;
  std::vector<int64_t> positions(batch.rows());
  for (int64_t text = 0; text < batch.texts(); ++text) {
    for (int64_t row = batch.offsets[text]; row < batch.offsets[text + 1]; ++row) positions[row] = row - batch.offsets[text];
  }
  const int64_t heads = spec.query_heads + spec.kv_heads, query_panels = spec.query_width() / kPanel;
  // Only where the panels of queries hold no keys.
  const bool apart = last_only && spec.query_width() % kPanel == 0;
  ForBlocks(job_, model_.format.kernels(), batch.rows(), false, [&](int64_t, int64_t first, int64_t rows) {
    const int64_t first_panel = apart ? query_panels : 0;
    ProjectRows(layer, x + first * spec.width, rows, first_panel, layer.qkv.panels() - first_panel, qkv_.data() + first * qkv_width_);
    for (int64_t row = first; row < first + rows; ++row) {
      RotateRow(layer, positions[row], apart ? spec.query_heads : 0, heads, qkv_.data() + row * qkv_width_);
    }
  });
  if (!apart) return;
  ForBlocks(job_, model_.format.kernels(), batch.texts(), false, [&](int64_t, int64_t first, int64_t count) {
    float* gathered = scratch.gathered.Reserve(count * (spec.width + qkv_width_));
    float* projected = gathered + count * spec.width;
    for (int64_t i = 0; i < count; ++i) std::copy_n(x + batch.last_row(first + i) * spec.width, spec.width, gathered + i * spec.width);
    ProjectRows(layer, gathered, count, 0, query_panels, projected);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = batch.last_row(first + i);
      RotateRow(layer, positions[row], 0, spec.query_heads, projected + i * qkv_width_);
      std::copy_n(projected + i * qkv_width_, spec.query_width(), qkv_.data() + row * qkv_width_);
    }
  });
}

// out[rows, qkv_width]: the columns of some panels, with their biases.
void Decoder::ProjectRows(const PackedLayer& layer, const float* x, int64_t rows, int64_t first_panel, int64_t panels, float* out) const {
  PackNormed(model_.format, layer.input_norm, model_.spec.norm_eps, x, rows, scratch.inputs);
  const int64_t begin = first_panel * kPanel, end = std::min(qkv_width_, begin + panels * kPanel);
  MultiplyPanels(scratch.inputs, 0, rows, layer.qkv, first_panel, panels, out + begin, qkv_width_, false);
  for (int64_t row = 0; !layer.qkv_bias.empty() && row < rows; ++row) {
    for (int64_t i = begin; i < end; ++i) out[row * qkv_width_ + i] += layer.qkv_bias[i];
  }
}

void Decoder::RotateRow(const PackedLayer& layer, int64_t position, int64_t first_head, int64_t end_head, float* qkv) const {
  const ModelSpec& spec = model_.spec;
  const Kernels& kernels = model_.format.kernels();
  const int64_t half = spec.head_width / 2;
  for (int64_t head = first_head; head < end_head; ++head) {
    float* values = qkv + head * spec.head_width;
    const auto& norm = head < spec.query_heads ? layer.query_norm : layer.key_norm;
    if (!norm.empty()) kernels.rms_norm(values, norm.data(), spec.head_width, spec.norm_eps, values);
    kernels.rotate(values, &cosine_[position * half], &sine_[position * half], half);
  }
}

void Decoder::Attention(int64_t index, const Batch& batch, bool last_only) {
  const ModelSpec& spec = model_.spec;
  // A long text is several: tokens after the last query do not matter to a task.
  struct Queries {
    int64_t text, first, end;
  };
  std::vector<Queries> queries;
  for (int64_t text = 0; text < batch.texts(); ++text) {
    const int64_t length = batch.offsets[text + 1] - batch.offsets[text];
    for (int64_t end = length, first; end > 0; end = last_only ? 0 : first) {
      first = last_only ? end - 1 : std::max<int64_t>(0, end - kQueriesATask);
      queries.push_back({text, first, end});
    }
  }
  const int64_t group = spec.query_heads / spec.kv_heads, pairs = static_cast<int64_t>(queries.size()) * spec.kv_heads;
  // Where texts are few, heads that share keys go to several threads, each of which packs the keys again.
  const int64_t wanted = 3 * ThreadPool::Process().threads(), parts = std::clamp<int64_t>((wanted + pairs - 1) / pairs, 1, group);
  job_.Parallel(pairs * parts, [&](int64_t task) {
    const int64_t part = task % parts, head = task / parts % spec.kv_heads;
    const auto [text, first_query, end_query] = queries[task / parts / spec.kv_heads];
    const int64_t first_head = head * group + group * part / parts, end_head = head * group + group * (part + 1) / parts;
    const int64_t first = batch.offsets[text];
    const float* row = qkv_.data() + first * qkv_width_;
    Attend(model_.format,
           {.query = row + first_head * spec.head_width,
            .key = row + spec.query_width() + head * spec.head_width,
            .value = row + spec.query_width() + spec.kv_width() + head * spec.head_width,
            .out = mixed_.data() + first * spec.query_width() + first_head * spec.head_width,
            .query_stride = qkv_width_,
            .kv_stride = qkv_width_,
            .out_stride = spec.query_width(),
            .tokens = end_query,
            .head_width = spec.head_width,
            .query_heads = end_head - first_head,
            .window = spec.windows[index],
            .scale = 1 / std::sqrt(static_cast<float>(spec.head_width)),
            .first_query = first_query},
           scratch.attention);
  });
}

// Output projection and FFN, added to x.
void Decoder::Finish(const PackedLayer& layer, const Batch& batch, float* x, const LayerOptions& options) {
  const int64_t width = model_.spec.width, mixed_width = model_.spec.query_width(), neurons = model_.spec.ffn_width;
  const Kernels& kernels = model_.format.kernels();
  std::vector<float> keep(options.neurons ? neurons : 0);
  if (options.neurons) {
    for (const uint32_t kept : *options.neurons) keep[kept] = 1;
  }
  const float* mask = options.neurons ? keep.data() : nullptr;
  if (options.last_only) {
    ForBlocks(job_, kernels, batch.texts(), false, [&](int64_t, int64_t first, int64_t count) {
      float* rows = scratch.gathered.Reserve(count * (width + mixed_width));
      float* mixed = rows + count * width;
      for (int64_t i = 0; i < count; ++i) {
        std::copy_n(x + batch.last_row(first + i) * width, width, rows + i * width);
        std::copy_n(mixed_.data() + batch.last_row(first + i) * mixed_width, mixed_width, mixed + i * mixed_width);
      }
      FinishRows(layer, mixed, count, rows, mask, nullptr);
      for (int64_t i = 0; i < count; ++i) std::copy_n(rows + i * width, width, x + batch.last_row(first + i) * width);
    });
    return;
  }
  std::vector<double> sums(options.sums ? BlocksOf(kernels, batch.rows()) * 3 * neurons : 0);
  ForBlocks(job_, kernels, batch.rows(), options.sums != nullptr, [&](int64_t block, int64_t first, int64_t rows) {
    FinishRows(layer, mixed_.data() + first * mixed_width, rows, x + first * width, mask, options.sums ? &sums[block * 3 * neurons] : nullptr);
  });
  if (!options.sums) return;
  for (const double* block = sums.data(); block < sums.data() + sums.size(); block += 3 * neurons) {
    for (int64_t j = 0; j < neurons; ++j) {
      options.sums->sum[j] += block[j];
      options.sums->sum_abs[j] += block[neurons + j];
      options.sums->sum_squares[j] += block[2 * neurons + j];
    }
  }
  options.sums->tokens += batch.rows();
}

// The same for some rows, on one thread. keep [F]: 0 where an activation is left out; sums [3, F]: of a, |a|, a^2.
void Decoder::FinishRows(const PackedLayer& layer, const float* mixed, int64_t rows, float* x, const float* keep, double* sums) const {
  const ModelSpec& spec = model_.spec;
  const Format& format = model_.format;
  const Kernels& kernels = format.kernels();
  const int64_t tile_rows = kernels.tile_rows, neurons = spec.ffn_width;
  AddBias(layer.output_bias, rows, x, spec.width);
  PackAsIs(format, mixed, rows, spec.query_width(), scratch.inputs);
  MultiplyPanels(scratch.inputs, 0, rows, layer.output, 0, layer.output.panels(), x, spec.width, true);

  PackNormed(format, layer.ffn_norm, spec.norm_eps, x, rows, scratch.inputs);
  PackedRows& activations = scratch.activations;
  activations.Reserve(format, rows, neurons);
  float* gate = scratch.tiles.Reserve(3 * tile_rows * kPanel);
  float* up = gate + tile_rows * kPanel;
  float* tile = up + tile_rows * kPanel;
  const int64_t items = format.Items(spec.width);
  for (int64_t panel = 0; panel < layer.gate.panels(); ++panel) {
    const int64_t first = panel * kPanel, count = std::min(kPanel, neurons - first);
    for (int64_t row = 0; row < rows; row += tile_rows) {
      const int64_t height = activations.height(row);
      format.Tile(height, items, scratch.inputs.tile(row), layer.gate.panel(panel), gate, kPanel, false);
      format.Tile(height, items, scratch.inputs.tile(row), layer.up.panel(panel), up, kPanel, false);
      if (!layer.gate_bias.empty()) AddBiasTile(layer.gate_bias, first, count, height, gate);
      if (!layer.up_bias.empty()) AddBiasTile(layer.up_bias, first, count, height, up);
      kernels.swiglu(gate, up, height * kPanel, tile);
      for (int64_t i = 0; keep && i < height; ++i) {
        for (int64_t j = 0; j < count; ++j) {
          if (keep[first + j] == 0) tile[i * kPanel + j] = 0;
        }
      }
      if (sums) {
        kernels.sum_neurons(Dtype::kF32, tile, kPanel, height, count, sums + first, sums + neurons + first, sums + 2 * neurons + first);
      }
      activations.FillColumns(format, row, first, count, tile, kPanel);
    }
  }
  AddBias(layer.down_bias, rows, x, spec.width);
  MultiplyPanels(activations, 0, rows, layer.down, 0, layer.down.panels(), x, spec.width, true);
}

void Decoder::FinalNorm(const float* x, std::span<const int64_t> rows, float* out, int64_t out_stride) const {
  const int64_t width = model_.spec.width, count = static_cast<int64_t>(rows.size());
  constexpr int64_t kRows = 64;  // a task
  job_.Parallel((count + kRows - 1) / kRows, [&](int64_t task) {
    for (int64_t i = task * kRows; i < std::min(count, (task + 1) * kRows); ++i) {
      model_.format.kernels().rms_norm(x + rows[i] * width, model_.final_norm.data(), width, model_.spec.norm_eps, out + i * out_stride);
    }
  });
}

int64_t Decoder::ScratchBytes(const Model& model, int64_t longest, int64_t batch_rows) {
  const ModelSpec& spec = model.spec;
  const int64_t rows = std::max(batch_rows, longest), block = BlockRows(model.format.kernels()) + model.format.kernels().tile_rows;
  const int64_t batch = rows * 4 * (2 * spec.query_width() + 2 * spec.kv_width()) + 4 * longest * spec.head_width;
  const int64_t thread = 4 * block * (3 * spec.width + 3 * spec.query_width() + 2 * spec.kv_width() + spec.ffn_width) + AttentionBytes(longest, spec.head_width);
  return batch + ThreadPool::Process().threads() * thread + 24 * spec.ffn_width * (rows / BlockRows(model.format.kernels()) + 1);
}

}  // namespace flab
