#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/tensor.h"
#include "cpu/matmul.h"

namespace flab {

// Something of the host on its way to a device: `items` of item_bytes each, which lie at `to` one after the other. fill(first, count, out)
// writes some of them to memory of the host, on any thread.
struct Upload {
  int64_t items, item_bytes;
  void* to;
  std::function<void(int64_t first, int64_t count, std::byte* out)> fill;
};

// A tensor in the dtype that products are computed in, rounded as the CPU rounds.
Upload WholeUpload(const Tensor& tensor, Compute compute, void* to);
// The same of chosen rows, one after the other. The list must stay.
Upload RowsUpload(const Tensor& tensor, std::span<const uint32_t> rows, Compute compute, void* to);
// Chosen rows as they are stored. The list must stay.
Upload StoredRowsUpload(const Tensor& tensor, std::span<const uint32_t> rows, void* to);
Upload ZerosUpload(int64_t bytes, void* to);

// Uploads that go one after the other, and what is left of them.
class Uploads {
 public:
  explicit Uploads(std::vector<Upload> all) : all_(std::move(all)) {}

  // Items [first, first + count) of an upload; they are at `offset` of the piece of memory that they share with others.
  struct Part {
    const Upload* upload;
    int64_t first, count, offset;
  };

  bool done() const { return next_ == all_.size(); }
  // The next ones that fit into a piece of so many bytes: some, unless nothing is left. Throws Error("ERR_DEVICE_MEMORY") for an item that fits into none.
  std::vector<Part> Take(int64_t bytes);

 private:
  std::vector<Upload> all_;
  size_t next_ = 0;
  int64_t first_ = 0;  // item of all_[next_]
};

}  // namespace flab
