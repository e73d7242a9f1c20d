#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/spill.h"
#include "prune/layer_scores.h"

namespace flab {

// What one scoring of layers leaves for the next of the same greedy search, in which one layer less takes part. Before the
// layer that went, nothing has changed: the states of the view and of its candidates there, if they were saved before a layer
// at or before it, are where the next walk begins. The reference's hidden states never change at all. All of it lies in
// temporary files; where they can't be had, the next walk begins at the beginning.
class WalkStore {
 public:
  // What was saved of one chunk of texts.
  struct Chunk {
    int64_t first_text = 0, texts = 0, positions = 0;
    // States at the input of view.layers[place]: the view's and those of candidates 0..place-1, [1 + place, tokens, D];
    // then the view's last rows before each of those layers, [place, texts, D]. place 0: nothing was saved.
    int64_t place = 0, states_at = -1, last_at = -1;
    std::vector<double> influence, influence_last;  // [place] sums over the chunk
    int64_t reference_at = -1;                      // [positions, D] after the final norm
  };

  // Begins a scoring. Chunks of an earlier one stay if they fit: the same texts, positions and vocabulary, and no layer that
  // was not there; of those, `place` is set to 0 where a layer before it went.
  void Begin(const ModelView& view, const Texts& texts, const LayerScoresOptions& options);

  // The chunks of texts that the last scoring worked in, with what was saved of them; empty: none yet.
  const std::vector<Chunk>& saved() const { return saved_; }
  const Spill* states() const { return states_.get(); }
  const Spill* reference() const { return reference_.get(); }

  // Files for what is saved now; null where there is no room for `bytes`.
  Spill* NewStates(int64_t bytes);
  Spill* NewReference(int64_t bytes);

  // Ends a scoring: what was saved in the meantime takes the place of what was there.
  void End(std::vector<Chunk> chunks);

 private:
  uint64_t key_ = 0;
  std::vector<uint32_t> layers_;
  std::vector<Chunk> saved_;
  std::unique_ptr<Spill> states_, new_states_, reference_;
};

}  // namespace flab
