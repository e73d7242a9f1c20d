#include "model/spilled_states.h"

#include "base/buffer.h"

namespace flab {

int64_t SpilledStates::Save(States& states, int64_t first, int64_t count) {
  Buffer<float> state(states.size());
  int64_t place = -1;
  for (int64_t i = 0; i < count; ++i) {
    states.Read(first + i, 1, state.data());
    const int64_t at = file_->Append(state.data(), state.size() * 4);
    if (at < 0) return -1;
    if (i == 0) place = at;
  }
  return place;
}

void SpilledStates::Load(int64_t place, States& states, int64_t first, int64_t count) {
  Buffer<float> state(states.size());
  for (int64_t i = 0; i < count; ++i) {
    file_->Read(place + i * state.size() * 4, state.data(), state.size() * 4);
    states.Write(first + i, 1, state.data());
  }
}

}  // namespace flab
