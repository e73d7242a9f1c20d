#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/spill.h"
#include "model/engine.h"
#include "prune/layer_scores.h"

namespace flab {

// What one scoring of layers leaves for the next of the same greedy search, in which one layer less takes part. Before the
// layer that went, nothing has changed: the states of the view and of its candidates there, if they were saved before a layer
// at or before it, are where the next walk begins. The reference's hidden states never change at all. States lie where the
// engine keeps them, the rest in temporary files; where there is no room, the next walk begins at the beginning.
class WalkStore {
 public:
  // What was saved of one chunk of texts.
  struct Chunk {
    int64_t first_text = 0, texts = 0, positions = 0;
    // States at the input of view.layers[place]: the view's and those of candidates 0..place-1, [1 + place, tokens, D];
    // and the view's last rows before each of those layers, [place, texts, D]. place 0: nothing was saved.
    int64_t place = 0, states_at = -1, last_at = -1;
    std::vector<double> influence, influence_last;  // [place] sums over the chunk
    int64_t reference_at = -1;                      // [positions, D] after the final norm
  };

  // Whether there is anything that a scoring left.
  bool holds() const { return !saved_.empty(); }

  // Begins a scoring. Chunks of an earlier one stay if they fit: the same texts, positions and vocabulary, and no layer that
  // was not there; of those, `place` is set to 0 where a layer before it went.
  void Begin(const ModelView& view, const Texts& texts, const LayerScoresOptions& options);

  // The chunks of texts that the last scoring worked in, with what was saved of them; empty: none yet.
  const std::vector<Chunk>& saved() const { return saved_; }
  const Spill* reference() const { return reference_.get(); }

  // Where states, and the last rows that belong to them, are saved.
  struct Saving {
    std::unique_ptr<SavedStates> states;
    std::unique_ptr<Spill> rows;
  };
  // What was saved before. A chunk that was loaded is not there any more.
  Saving& before() { return before_; }
  void Loaded(size_t chunk) { saved_[chunk].place = 0; }

  // For what is saved now; null where there is no room for so many bytes.
  Saving* NewStates(Engine& engine, int64_t state_bytes, int64_t row_bytes);
  Spill* NewReference(int64_t bytes);

  // Ends a scoring: what was saved in the meantime takes the place of what was there.
  void End(std::vector<Chunk> chunks);

 private:
  uint64_t key_ = 0;
  std::vector<uint32_t> layers_;
  std::vector<Chunk> saved_;
  Saving before_, now_;
  std::unique_ptr<Spill> reference_;
};

}  // namespace flab
