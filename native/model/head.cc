#include "model/head.h"

#include <algorithm>
#include <vector>

namespace flab {
namespace {

thread_local Buffer<float> block_logits;

// The panels of one block of columns, refilled for each.
void PackColumns(const Job& job, const Model& model, std::span<const uint32_t> tokens, PackedMatrix& packed) {
  const int64_t count = static_cast<int64_t>(tokens.size());
  job.Parallel((count + kPanel - 1) / kPanel, [&](int64_t panel) {
    PackedMatrix::Row rows[kPanel];
    const int64_t begin = panel * kPanel, size = std::min(kPanel, count - begin);
    for (int64_t i = 0; i < size; ++i) rows[i] = {&model.head, tokens[begin + i]};
    packed.FillPanel(panel, std::span(rows, size));
  });
}

}  // namespace

void ForEachLogits(const Job& job, const Model& model, std::span<const uint32_t> tokens, const float* hidden, int64_t rows,
                   int64_t group, const std::function<void(const LogitsBlock&)>& consume) {
  const int64_t width = model.spec.width, vocabulary = static_cast<int64_t>(tokens.size());
  const int64_t block_rows = std::max<int64_t>(1, kBlockRows / group) * group;
  PackedMatrix packed(model.kernels, model.compute, std::min(kHeadColumns, vocabulary), width);
  for (int64_t column = 0; column < vocabulary; column += kHeadColumns) {
    const int64_t columns = std::min(kHeadColumns, vocabulary - column);
    PackColumns(job, model, tokens.subspan(column, columns), packed);
    job.Parallel((rows + block_rows - 1) / block_rows, [&](int64_t block) {
      const int64_t first = block * block_rows, count = std::min(block_rows, rows - first);
      float* logits = block_logits.Reserve(count * kHeadColumns);
      MatmulBlock(model.kernels, hidden + first * width, width, count, packed, 0, (columns + kPanel - 1) / kPanel, logits,
                  kHeadColumns, false);
      consume({first, count, column, columns, logits, kHeadColumns});
    });
  }
}

}  // namespace flab
