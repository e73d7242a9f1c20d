#include "cpu/attention.h"

#include <algorithm>
#include <cstring>

namespace flab {
namespace {

int64_t PadTo(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Keys as weights of a product with `tokens` outputs, in panels of kPanel tokens; past the end, zeros.
void PackKeys(const Format& format, const AttentionTask& task, int64_t padded, uint32_t* out) {
  const int64_t panel_items = format.Items(task.head_width) * kPanel;
  const float* rows[kPanel];
  for (int64_t first = 0; first < padded; first += kPanel) {
    const int64_t count = std::min(kPanel, task.tokens - first);
    // Those past the end are masked: any finite numbers do.
    for (int64_t i = 0; i < kPanel; ++i) rows[i] = task.key + (first + std::min(i, count - 1)) * task.kv_stride;
    format.Interleave(rows, kPanel, task.head_width, out + first / kPanel * panel_items);
  }
}

// Values as weights of a product over tokens, in panels of kPanel elements of the head: [panel, items of tokens, kPanel].
void PackValues(const Format& format, const AttentionTask& task, int64_t padded, uint32_t* out) {
  const int64_t items = format.Items(padded), per_item = format.PerItem();
  for (int64_t first = 0; first < task.head_width; first += kPanel) {
    const int64_t count = std::min(kPanel, task.head_width - first);
    for (int64_t item = 0; item < items; ++item, out += kPanel) {
      std::memset(out, 0, kPanel * 4);
      for (int64_t half = 0; half < per_item; ++half) {
        const int64_t token = item * per_item + half;
        if (token >= task.tokens) continue;
        const float* row = task.value + token * task.kv_stride + first;
        if (format.compute() == Compute::kF32) {
          std::memcpy(out, row, count * 4);
        } else if (format.paired()) {
          for (int64_t i = 0; i < count; ++i) out[i] |= static_cast<uint32_t>(ToBF16(row[i])) << (16 * half);
        } else {
          for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint32_t>(ToBF16(row[i])) << 16;
        }
      }
    }
  }
}

}  // namespace

void Attend(const Format& format, const AttentionTask& task, AttentionScratch& scratch) {
  const int64_t tokens = task.tokens, width = task.head_width, tile_rows = format.kernels().tile_rows;
  if (tokens == 0) return;
  const int64_t padded = PadTo(tokens, kPanel), width_panels = (width + kPanel - 1) / kPanel;
  const int64_t query_items = format.Items(width), token_items = format.Items(padded);
  uint32_t* keys = scratch.keys.Reserve(padded * query_items);
  uint32_t* values = scratch.values.Reserve(width_panels * kPanel * token_items);
  uint32_t* inputs = scratch.inputs.Reserve(tile_rows * std::max(query_items, token_items));
  const int64_t stride = padded + 16;  // rows a power of two apart would share cache sets
  float* scores = scratch.scores.Reserve(tile_rows * (stride + kPanel));
  float* mixed = scores + tile_rows * stride;
  PackKeys(format, task, padded, keys);
  PackValues(format, task, padded, values);
  const auto first_seen = [&](int64_t token) { return task.window > 0 && token >= task.window ? token - task.window + 1 : 0; };
  for (int64_t head = 0; head < task.query_heads; ++head) {
    for (int64_t row = task.first_query; row < tokens; row += tile_rows) {
      const int64_t height = std::min(tile_rows, tokens - row);
      const int64_t begin = first_seen(row) / kPanel * kPanel, end = PadTo(row + height, kPanel);
      const float* rows[kPanel];
      for (int64_t i = 0; i < height; ++i) rows[i] = task.query + (row + i) * task.query_stride + head * width;
      format.Interleave(rows, height, width, inputs);
      for (int64_t key = begin; key < end; key += kPanel) {
        format.Tile(height, query_items, inputs, keys + key * query_items, scores + key, stride, false);
      }
      float sums[kPanel];
      for (int64_t i = 0; i < height; ++i) {
        sums[i] = format.kernels().softmax(scores + i * stride, begin, end, first_seen(row + i), row + i, task.scale);
        rows[i] = scores + i * stride + begin;
      }
      const int64_t items = format.Items(end - begin);
      format.Interleave(rows, height, end - begin, inputs);
      for (int64_t panel = 0; panel < width_panels; ++panel) {
        const int64_t first = panel * kPanel, count = std::min(kPanel, width - first);
        format.Tile(height, items, inputs, values + (panel * token_items + begin / format.PerItem()) * kPanel, mixed, kPanel, false);
        for (int64_t i = 0; i < height; ++i) {
          float* out = task.out + (row + i) * task.out_stride + head * width + first;
          const float scale = 1 / sums[i];
          for (int64_t e = 0; e < count; ++e) out[e] = mixed[i * kPanel + e] * scale;
        }
      }
    }
  }
}

int64_t AttentionBytes(int64_t tokens, int64_t head_width) {
  const int64_t padded = PadTo(tokens, kPanel), padded_width = PadTo(head_width, kPanel);
  constexpr int64_t kRows = 14;
  return 4 * (padded * head_width + padded * padded_width + kRows * std::max(head_width, padded) + kRows * (padded + 16 + kPanel));
}

}  // namespace flab
