#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "cpu/matmul.h"

namespace flab {

// Causal attention of the query heads that share one key/value head, over one text.
struct AttentionTask {
  const float* query;  // [tokens, query_stride]; head h starts at h * head_width
  const float* key;    // [tokens, kv_stride]
  const float* value;  // [tokens, kv_stride]
  float* out;          // [tokens, out_stride]; head h starts at h * head_width
  int64_t query_stride, kv_stride, out_stride;
  int64_t tokens, head_width, query_heads;
  int64_t window;       // tokens that a token sees, itself included; 0: all before it
  float scale;          // on the scores
  int64_t first_query;  // rows of `out` before it are not computed
};

// Memory of one thread, reused from task to task.
struct AttentionScratch {
  Buffer<uint32_t> keys, values, inputs;
  Buffer<float> scores;
};

// Runs the task on this thread. Both products (query times keys, probabilities times values) are tiles of the
// matrix product in `format`; softmax is in f32. Memory is one tile of scores: [tokens, tokens] never exists.
// A row has the same bits whatever comes after it and whatever first_query is.
void Attend(const Format& format, const AttentionTask& task, AttentionScratch& scratch);

// Bytes that a task of this size takes of its scratch.
int64_t AttentionBytes(int64_t tokens, int64_t head_width);

}  // namespace flab
