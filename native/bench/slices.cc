// Rows and columns of bf16 matrices gathered into a buffer of our own.

#include <array>
#include <memory>

#include "base/buffer.h"
#include "base/job.h"
#include "bench/bench.h"
#include "cpu/slice.h"

namespace flab::bench {
namespace {

std::vector<uint32_t> Every(int64_t count, int64_t step) {
  std::vector<uint32_t> indices;
  for (int64_t i = 0; i < count; i += step) indices.push_back(static_cast<uint32_t>(i));
  return indices;
}

struct Operands {
  Operands(std::vector<uint32_t> keep, int64_t in_bytes, int64_t out_bytes) : keep(std::move(keep)), in(in_bytes), out(out_bytes) {
    for (int64_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::byte>(i);
    for (int64_t i = 0; i < out.size(); ++i) out[i] = std::byte{0};
  }
  std::vector<uint32_t> keep;
  Buffer<std::byte> in, out;
};

std::string Name(const char* kind, int64_t rows, int64_t columns, const std::string& keep) {
  return std::string("slice-") + kind + "/" + std::to_string(rows) + "x" + std::to_string(columns) + "/" + keep;
}

}  // namespace

std::vector<uint32_t> Keep(int64_t count, int64_t keep) {
  std::vector<uint32_t> indices;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t wanted = keep - static_cast<int64_t>(indices.size());
    if ((Noise(i) + 1) / 2 * static_cast<float>(count - i) < static_cast<float>(wanted)) indices.push_back(static_cast<uint32_t>(i));
  }
  return indices;
}

void AddSlices(std::vector<Case>& cases) {
  const auto add_rows = [&](int64_t rows, int64_t columns, int64_t keep) {
    cases.push_back({.name = Name("rows", rows, columns, "keep" + std::to_string(keep)),
                     .limit = Limit::kCopy,
                     .bytes = 4.0 * keep * columns,
                     .prepare = [=]() -> std::function<void()> {
                       auto x = std::make_shared<Operands>(Keep(rows, keep), rows * columns * 2, keep * columns * 2);
                       return [=] { SliceRows(Job(), x->in.data(), columns * 2, x->keep, x->out.data()); };
                     }});
  };
  const auto add_columns = [&](const std::string& name, int64_t rows, int64_t columns, int64_t item_bytes, const std::vector<uint32_t>& keep) {
    const int64_t kept_bytes = rows * static_cast<int64_t>(keep.size()) * item_bytes;
    cases.push_back({.name = name,
                     .limit = Limit::kCopy,
                     .bytes = 2.0 * static_cast<double>(kept_bytes),
                     .prepare = [=]() -> std::function<void()> {
                       auto x = std::make_shared<Operands>(keep, rows * columns * item_bytes, kept_bytes);
                       return [=] { SliceColumns(Job(), x->in.data(), rows, columns, item_bytes, x->keep, x->out.data()); };
                     }});
  };
  add_rows(92416, 4096, 13000);
  add_rows(49152, 576, 12000);
  add_rows(13440, 4096, 13184);
  for (const auto& [rows, columns, keep] : {std::array<int64_t, 3>{4096, 13440, 13184}, {4096, 13440, 6720}, {1024, 3328, 3072}}) {
    add_columns(Name("columns", rows, columns, "keep" + std::to_string(keep)), rows, columns, 2, Keep(columns, keep));
  }
  // The worst lists, and items of other sizes.
  add_columns("slice-columns/4096x13440/every2nd", 4096, 13440, 2, Every(13440, 2));
  add_columns("slice-columns/4096x13440/every16th", 4096, 13440, 2, Every(13440, 16));
  for (const int64_t item_bytes : {1, 4, 8}) {
    add_columns("slice-columns-" + std::to_string(item_bytes) + "-byte/4096x8192/keep4096", 4096, 8192, item_bytes, Keep(8192, 4096));
  }
}

}  // namespace flab::bench
