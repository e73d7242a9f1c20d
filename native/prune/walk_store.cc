#include "prune/walk_store.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

namespace flab {
namespace {

template <typename T>
uint64_t Mix(uint64_t key, std::span<const T> values) {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return (key ^ std::hash<std::string_view>()(bytes)) * 0x9e3779b97f4a7c15 + values.size();
}

}  // namespace

void WalkStore::Begin(const ModelView& view, const Texts& texts, const LayerScoresOptions& options) {
  uint64_t key = Mix(static_cast<uint64_t>(options.positions) * 2 + options.losses, texts.ids);
  key = Mix(Mix(key, texts.offsets), std::span<const uint32_t>(view.tokens));
  // Which layers went since: only what lies before the first of them is as it was.
  const bool fewer = std::includes(layers_.begin(), layers_.end(), view.layers.begin(), view.layers.end());
  if (key != key_ || !fewer) *this = WalkStore();
  const auto [mine, theirs] = std::mismatch(layers_.begin(), layers_.end(), view.layers.begin(), view.layers.end());
  const int64_t same = mine - layers_.begin();
  for (Chunk& chunk : saved_) {
    if (chunk.place > same) chunk.place = 0;
  }
  key_ = key;
  layers_ = view.layers;
}

WalkStore::Saving* WalkStore::NewStates(Engine& engine, int64_t state_bytes, int64_t row_bytes) {
  now_ = {engine.NewSavedStates(state_bytes), Spill::Open(row_bytes)};
  return now_.states && now_.rows ? &now_ : nullptr;
}

Spill* WalkStore::NewReference(int64_t bytes) {
  reference_ = Spill::Open(bytes);
  return reference_.get();
}

void WalkStore::End(std::vector<Chunk> chunks) {
  before_ = std::exchange(now_, {});
  saved_ = std::move(chunks);
  const bool whole = std::all_of(saved_.begin(), saved_.end(), [](const Chunk& chunk) { return chunk.reference_at >= 0; });
  if (!whole) reference_.reset();
}

}  // namespace flab
