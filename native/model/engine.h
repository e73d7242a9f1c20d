#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/job.h"
#include "cpu/statistics.h"
#include "model/model.h"
#include "model/positions.h"

namespace flab {

// How an operation over texts spends the memory that is left to it.
struct Budget {
  int64_t chunk_tokens;  // tokens of a chunk of texts
  int64_t head_rows;     // hidden states that go through the LM head at a time
  int64_t batch_rows;    // rows of states that go through a layer at a time
};

// The least that an operation takes, in bytes: of the host's memory, and of a device's, which has so much left. Without a device 0.
struct Demand {
  int64_t host, device = 0, device_left = 0;
};

// What one pass through a layer does besides its arithmetic.
struct LayerOptions {
  const std::vector<uint32_t>* neurons = nullptr;  // activations of all others are set to zero
  NeuronSums* sums = nullptr;
  bool last_only = false;  // only the last row of each text is wanted; the others are left as they were
};

// States of a chunk of texts on their way through the layers: [states, tokens, D] f32, the model's and its candidates'.
class States {
 public:
  virtual ~States() = default;

  // Numbers of a state: tokens * D.
  virtual int64_t size() const = 0;
  // The embeddings of the tokens.
  virtual void Embed(int64_t state) = 0;
  virtual void Copy(int64_t from, int64_t to) = 0;
  // Sends states [first, first + count) through a layer, together. Advances the job by count * tokens.
  virtual void RunLayer(int64_t layer, int64_t first, int64_t count, const LayerOptions& options) = 0;
  // [tokens] cosines of the rows of two states; of zeros, which have no direction, 1.
  virtual std::vector<double> Cosines(int64_t a, int64_t b) = 0;
  // To the host and back: whole states, and some rows of one.
  virtual void Read(int64_t first, int64_t count, float* out) = 0;
  virtual void ReadRows(int64_t state, std::span<const int64_t> rows, float* out) = 0;
  virtual void Write(int64_t first, int64_t count, const float* from) = 0;
};

// Hidden states after the final norm, on their way into the LM head: [positions, group, D], each group a reference and its candidates.
class Hidden {
 public:
  virtual ~Hidden() = default;

  // Member `member` of the first rows.size() groups becomes the final norm of these rows of a state.
  virtual void Put(States& states, int64_t state, std::span<const int64_t> rows, int64_t member) = 0;
  // The same from [count, D] of the host, after the norm already; and back.
  virtual void Write(int64_t member, int64_t count, const float* from) = 0;
  virtual void Read(int64_t member, int64_t count, float* out) = 0;
  // Adds to the sums what the logits of `tokens` show at groups [first, first + positions.size()).
  virtual void AddTo(std::span<const uint32_t> tokens, int64_t first, std::span<const Position> positions, HeadSums& sums) = 0;
  // out [count, tokens]: logits of groups [first, first + count), whose group is one.
  virtual void Logits(std::span<const uint32_t> tokens, int64_t first, int64_t count, float* out) = 0;
};

// States that outlive their chunk, as far as there is room for them.
class SavedStates {
 public:
  virtual ~SavedStates() = default;

  // Copies states [first, first + count); the place to load them from, -1 where there is no room.
  virtual int64_t Save(States& states, int64_t first, int64_t count) = 0;
  // Copies those that were saved at a place to states [first, first + count), of the same size. They may be gone then.
  virtual void Load(int64_t place, States& states, int64_t first, int64_t count) = 0;
};

// What a model computes on: the CPU or a device. One operation at a time.
class Engine {
 public:
  virtual ~Engine() = default;

  // Of an operation that keeps `token_bytes` for each token of a chunk.
  virtual Demand LeastDemand(const Texts& texts, int64_t token_bytes) = 0;
  // Throws Error("ERR_MEMORY") or Error("ERR_DEVICE_MEMORY") where the least does not fit; `what` is the operation.
  virtual Budget Plan(const Texts& texts, int64_t token_bytes, const char* what) = 0;

  // The texts are those of one chunk; all of it lives as long as the job.
  virtual std::unique_ptr<States> NewStates(Job& job, const Texts& texts, int64_t states, const Budget& budget) = 0;
  virtual std::unique_ptr<Hidden> NewHidden(Job& job, int64_t positions, int64_t group) = 0;
  // For states of at most `bytes`; null where there is no room for that. Gone before the engine is.
  virtual std::unique_ptr<SavedStates> NewSavedStates(int64_t bytes) = 0;

  // After Error("ERR_DEVICE_MEMORY"): plans with less from now on. False where there is nothing less.
  virtual bool Shrink() { return false; }
};

}  // namespace flab
