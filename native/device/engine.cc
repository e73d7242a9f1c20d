#include "device/engine.h"

#include <algorithm>
#include <string>

#include "base/memory.h"
#include "device/hidden.h"
#include "device/saved_states.h"
#include "device/states.h"

namespace flab {
namespace {

// Rows that go through a layer at a time: beyond some thousand nothing becomes faster.
constexpr int64_t kLeastBatchRows = 256, kMostBatchRows = 16384;
constexpr int64_t kLeastHeadRows = 256, kMostHeadRows = 32768;
// Of a chunk: with kept weights more tokens make nothing faster; streamed ones are uploaded again for each chunk.
constexpr int64_t kMostChunkTokensKept = 16384, kMostChunkTokensStreamed = 131072;
constexpr int64_t kLeastShare = 1 << 10;
// Of the host: rows that results rest on, lists, the driver's own.
constexpr int64_t kHostBytes = int64_t{64} << 20;
// A tile of logits, and memory that is taken for a moment.
constexpr int64_t kPassing = int64_t{96} << 20;

}  // namespace

// With streamed weights.
Demand DeviceEngine::LeastDemand(const Texts& texts, int64_t token_bytes) {
  return {.host = Uploader::Bytes() + kHostBytes,
          .device = Least(texts, token_bytes) + kPassing + context_.weights.least_bytes(),
          .device_left = context_.device->Left() + context_.saved.taken};
}

int64_t DeviceEngine::Left() {
  const int64_t left = context_.device->Left() + context_.saved.taken - context_.weights.pending_bytes() - kPassing;
  return std::max<int64_t>(0, left / share_);
}

int64_t DeviceEngine::Least(const Texts& texts, int64_t token_bytes) const {
  const int64_t longest = texts.longest();
  return std::max(kLeastBatchRows, longest) * LayerPass::RowBytes(context_) + longest * token_bytes + kLeastHeadRows * DeviceHidden::RowBytes(context_);
}

Budget DeviceEngine::Plan(const Texts& texts, int64_t token_bytes, const char* what) {
  RequireMemory(LeastDemand(texts, token_bytes).host, what);
  const int64_t longest = texts.longest(), row = LayerPass::RowBytes(context_), head_row = DeviceHidden::RowBytes(context_);
  const int64_t batch = std::max(kLeastBatchRows, longest), least = Least(texts, token_bytes);
  // Streaming costs time, too few rows at a time even more.
  if (context_.weights.keeps_all() && Left() < least) context_.weights.Keep(false);
  const int64_t left = Left();
  if (left < least) {
    const auto [_, needed, there] = LeastDemand(texts, token_bytes);
    throw Error("ERR_DEVICE_MEMORY", std::string(what) + ": expected at least " + std::to_string(needed) + " bytes of device memory for this model and texts of " +
                                         std::to_string(longest) + " tokens, got " + std::to_string(there));
  }
  const int64_t third = (left - least) / 3, tokens = context_.weights.keeps_all() ? kMostChunkTokensKept : kMostChunkTokensStreamed;
  const Budget budget{.chunk_tokens = std::max(longest, std::min(longest + third / token_bytes, tokens)),
                      .head_rows = std::min(kLeastHeadRows + third / head_row, kMostHeadRows),
                      .batch_rows = std::clamp(batch + third / row, batch, std::max(batch, kMostBatchRows))};
  context_.saved.most = left - std::min(budget.chunk_tokens, texts.tokens()) * token_bytes - budget.head_rows * head_row - budget.batch_rows * row;
  return budget;
}

std::unique_ptr<States> DeviceEngine::NewStates(Job& job, const Texts& texts, int64_t states, const Budget& budget) {
  return std::make_unique<DeviceStates>(job, context_, texts, states, budget.batch_rows);
}

std::unique_ptr<SavedStates> DeviceEngine::NewSavedStates(int64_t) { return std::make_unique<DeviceSavedStates>(context_); }

std::unique_ptr<Hidden> DeviceEngine::NewHidden(Job& job, int64_t positions, int64_t group) { return std::make_unique<DeviceHidden>(job, context_, positions, group); }

bool DeviceEngine::Shrink() {
  if (share_ >= kLeastShare) return false;
  share_ *= 2;
  return true;
}

}  // namespace flab
