#pragma once

#include <vector>

#include "device/context.h"
#include "model/engine.h"

namespace flab {

// Hidden states in a device's memory, in the dtype of the products. Logits exist in parts of the vocabulary, which stay in the L2 cache
// between the product and the sums: scores come back to the host, never logits, unless they are asked for.
class DeviceHidden : public Hidden {
 public:
  DeviceHidden(const Job& job, DeviceContext& context, int64_t positions, int64_t group);

  void Put(States& states, int64_t state, std::span<const int64_t> rows, int64_t member) override;
  void Write(int64_t member, int64_t count, const float* from) override;
  void Read(int64_t member, int64_t count, float* out) override;
  void AddTo(std::span<const uint32_t> tokens, int64_t first, std::span<const Position> positions, HeadSums& sums) override;
  void Logits(std::span<const uint32_t> tokens, int64_t first, int64_t count, float* out) override;

  // Memory of the device that a hidden state takes while it is added to sums over V columns of logits.
  static int64_t RowBytes(const DeviceContext& context);

 private:
  char* At(int64_t position, int64_t member) const { return rows_.data<char>() + (position * group_ + member) * row_bytes_; }
  void Multiply(const void* rows, int64_t count, const struct HeadRows& head, float* out, int64_t stride);
  const uint32_t* Places(std::span<const int64_t> rows);
  const uint32_t* MemberPlaces(int64_t member, int64_t count);

  const Job& job_;
  DeviceContext& context_;
  const int64_t positions_, group_, row_bytes_;
  DeviceMemory rows_;               // [positions, group, D]
  std::vector<uint32_t> sent_;      // what places_ has
  DeviceMemory places_;             // [positions] rows, as they were sent last
};

}  // namespace flab
