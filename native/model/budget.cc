#include "model/budget.h"

#include <algorithm>

#include "base/memory.h"
#include "model/decoder.h"
#include "model/head.h"

namespace flab {
namespace {

constexpr int64_t kMostChunkBytes = int64_t{256} << 20;
constexpr int64_t kLeastHeadRows = 2048, kMostHeadRows = 16384;

}  // namespace

Budget PlanBudget(const Model& model, const Texts& texts, int64_t token_bytes, const char* what) {
  int64_t longest = 1;
  for (int64_t i = 0; i < texts.count(); ++i) longest = std::max(longest, texts.length(i));
  const int64_t fixed = Decoder::ScratchBytes(model, longest) + std::max(PackedLayerBytes(model), HeadBytes(model, kLeastHeadRows));
  RequireMemory(fixed + longest * token_bytes, what);
  // A third of the rest for fewer reads of the LM head, and for what only its user knows.
  const int64_t rest = MemoryLeft() - fixed - longest * token_bytes;
  const int64_t row_bytes = HeadBytes(model, 1) - HeadBytes(model, 0);
  return {.chunk_tokens = std::max(longest, std::min(longest + rest * 2 / 3 / token_bytes, kMostChunkBytes / token_bytes)),
          .head_rows = std::clamp(kLeastHeadRows + rest / 3 / row_bytes, kLeastHeadRows, kMostHeadRows)};
}

}  // namespace flab
