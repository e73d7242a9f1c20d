#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "device/sequence.h"
#include "device/slots.h"
#include "device/uploader.h"
#include "model/model.h"

namespace flab {

// A layer on a device: products in the dtype that they are computed in, [outputs, inputs]; vectors in f32, null where the family has
// none. Queries, keys and values are one matrix, gate and up another.
struct DeviceLayer {
  void *qkv, *output, *gate_up, *down;
  float *input_norm, *qkv_bias, *output_bias, *query_norm, *key_norm, *ffn_norm, *gate_up_bias, *down_bias;
};

// Rows [first, first + count) of the LM head's kept rows, on a device.
struct HeadRows {
  const void* weights;
  int64_t first, count;

  // At most `most` of these rows, from `begin` on.
  HeadRows Slice(int64_t begin, int64_t most, int64_t row_bytes) const {
    return {static_cast<const char*>(weights) + begin * row_bytes, first + begin, std::min(most, count - begin)};
  }
};

// A model's weights on a device: all of them, uploaded when they are first used, or two layers and two parts of the head at a time.
class DeviceWeights {
 public:
  DeviceWeights(std::shared_ptr<Device> device, const Model& model, Uploader& uploader);

  // Bytes that everything takes, with all rows of the head; and the least, with two layers and two parts of the head.
  int64_t whole_bytes() const;
  int64_t least_bytes() const;

  // Lets go of everything and begins anew, with all weights kept or not.
  void Keep(bool all);
  bool keeps_all() const { return keeps_all_; }
  // Bytes that are yet to be taken.
  int64_t pending_bytes() const;

  // The layer, for what is put into the compute stream before the next is asked for.
  DeviceLayer Layer(const Job& job, int64_t index);
  // Uploads a piece of the layer that probably comes after it.
  void PrefetchLayer(const Job& job);

  // Rows of the head in a part: a multiple of FLAB_PIECE, but all where there are fewer.
  int64_t part_rows() const { return part_rows_; }
  // Calls use(rows) for all of the head's rows `tokens`, part by part, uploading the next meanwhile.
  void ForEachHeadPart(const Job& job, std::span<const uint32_t> tokens, const std::function<void(const HeadRows&)>& use);

  const float* final_norm();

 private:
  Uploads LayerUploads(int64_t index, void* memory) const;
  int64_t layer_bytes() const;
  int64_t part_bytes() const;
  int64_t norm_bytes() const;
  void SetHead(std::span<const uint32_t> tokens);

  const std::shared_ptr<Device> device_;
  const Model& model_;
  Uploader& uploader_;
  const int64_t part_rows_;
  bool keeps_all_ = true;
  std::optional<Slots> layers_, head_;
  Sequence sequence_;  // of layers
  std::vector<uint32_t> tokens_;  // that the head's parts are of
  DeviceMemory final_norm_;
};

}  // namespace flab
