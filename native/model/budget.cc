#include "model/budget.h"

#include <algorithm>

#include "base/memory.h"
#include "model/decoder.h"
#include "model/head.h"

namespace flab {
namespace {

constexpr int64_t kMostChunkBytes = int64_t{256} << 20;
constexpr int64_t kLeastHeadRows = 1024, kMostHeadRows = 16384;
// Enough blocks of rows for all threads to end at about the same time, few enough for a shared cache.
constexpr int64_t kLeastBatchRows = 512, kMostBatchRows = 4096;

}  // namespace

int64_t LeastBytes(const Model& model, const Texts& texts, int64_t token_bytes) {
  const int64_t longest = texts.longest(), layer = Decoder::ScratchBytes(model, longest, kLeastBatchRows) + PackedLayerBytes(model);
  return std::max(layer, HeadBytes(model, kLeastHeadRows)) + longest * token_bytes;
}

Budget PlanBudget(const Model& model, const Texts& texts, int64_t token_bytes, const char* what) {
  const int64_t longest = texts.longest(), least = LeastBytes(model, texts, token_bytes);
  RequireMemory(least, what);
  // A third of the rest each for larger batches, for fewer reads of the LM head, for more texts at a time.
  const int64_t third = (MemoryLeft() - least) / 3;
  const int64_t batch_row = Decoder::ScratchBytes(model, longest, kMostBatchRows) - Decoder::ScratchBytes(model, longest, kMostBatchRows - 1);
  const int64_t head_row = HeadBytes(model, 1) - HeadBytes(model, 0);
  return {.chunk_tokens = std::max(longest, std::min(longest + third / token_bytes, kMostChunkBytes / token_bytes)),
          .head_rows = std::clamp(kLeastHeadRows + third / head_row, kLeastHeadRows, kMostHeadRows),
          .batch_rows = std::clamp(kLeastBatchRows + third / std::max<int64_t>(1, batch_row), kLeastBatchRows, kMostBatchRows)};
}

}  // namespace flab
