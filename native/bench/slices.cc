// Rows and columns of bf16 matrices gathered into a buffer of our own.

#include <memory>

#include "base/buffer.h"
#include "base/job.h"
#include "bench/bench.h"
#include "cpu/slice.h"

namespace flab::bench {
namespace {

// `keep` of `count` indices, evenly spread at random.
std::vector<uint32_t> Keep(int64_t count, int64_t keep) {
  std::vector<uint32_t> indices;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t wanted = keep - static_cast<int64_t>(indices.size());
    if ((Noise(i) + 1) / 2 * static_cast<float>(count - i) < static_cast<float>(wanted)) indices.push_back(static_cast<uint32_t>(i));
  }
  return indices;
}

struct Operands {
  Operands(int64_t rows, int64_t columns, std::vector<uint32_t> keep, int64_t out_items) : keep(std::move(keep)), in(rows * columns), out(out_items) {
    for (int64_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint16_t>(i);
    for (int64_t i = 0; i < out.size(); ++i) out[i] = 0;
  }
  std::vector<uint32_t> keep;
  Buffer<uint16_t> in, out;
  const std::byte* from() const { return reinterpret_cast<const std::byte*>(in.data()); }
  std::byte* to() { return reinterpret_cast<std::byte*>(out.data()); }
};

}  // namespace

void AddSlices(std::vector<Case>& cases) {
  const auto add = [&](const char* kind, int64_t rows, int64_t columns, int64_t keep) {
    const bool by_row = kind == std::string("rows");
    cases.push_back({.name = std::string("slice-") + kind + "/" + std::to_string(rows) + "x" + std::to_string(columns) + "/keep" + std::to_string(keep),
                     .limit = Limit::kCopy,
                     .bytes = 4.0 * keep * (by_row ? columns : rows),
                     .prepare = [=]() -> std::function<void()> {
                       auto x = std::make_shared<Operands>(rows, columns, Keep(by_row ? rows : columns, keep), keep * (by_row ? columns : rows));
                       if (by_row) return [=] { SliceRows(Job(), x->from(), columns * 2, x->keep, x->to()); };
                       return [=] { SliceColumns(Job(), x->from(), rows, columns, 2, x->keep, x->to()); };
                     }});
  };
  add("rows", 92416, 4096, 13000);
  add("rows", 49152, 576, 12000);
  add("rows", 13440, 4096, 13184);
  add("columns", 4096, 13440, 13184);
  add("columns", 4096, 13440, 6720);
  add("columns", 1024, 3328, 3072);
}

}  // namespace flab::bench
