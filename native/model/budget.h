#pragma once

#include <cstdint>

#include "model/engine.h"

namespace flab {

// The least that an operation takes which keeps `token_bytes` for each token of a chunk: one layer, the longest text, a block
// of the LM head.
int64_t LeastBytes(const Model& model, const Texts& texts, int64_t token_bytes);

// `token_bytes` is what each token of a chunk takes until the chunk is done. More tokens than a few hundred megabytes hold
// make nothing faster, so that is the most. Throws Error("ERR_MEMORY") where the least does not fit; `what` is the operation.
Budget PlanBudget(const Model& model, const Texts& texts, int64_t token_bytes, const char* what);

}  // namespace flab
