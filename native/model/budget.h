#pragma once

#include <cstdint>

#include "model/model.h"

namespace flab {

// How an operation over texts spends the memory that is left to it.
struct Budget {
  int64_t chunk_tokens;  // tokens of a chunk of texts
  int64_t head_rows;     // hidden states that go through the LM head at a time
};

// `token_bytes` is what each token of a chunk takes until the chunk is done. More tokens than a few hundred megabytes hold
// make nothing faster, so that is the most. Throws Error("ERR_MEMORY") where one layer, the longest text and a block of the
// LM head do not fit; `what` is the operation.
Budget PlanBudget(const Model& model, const Texts& texts, int64_t token_bytes, const char* what);

}  // namespace flab
