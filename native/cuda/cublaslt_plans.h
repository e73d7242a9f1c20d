#pragma once

#include <array>
#include <map>
#include <memory>

#include "backend/backend.h"
#include "cuda/cublaslt.h"

namespace flab::cuda {

// Something of the library's, and how it is released; null if it could not be made.
using Owned = std::unique_ptr<void, int (*)(void*)>;

// How a product is done: weights, a and out are the library's a, b, and c and d.
struct Plan {
  Owned weights, a, out;
  CublasLt::Algorithm algorithm;
  bool usable;
};

// Plans for shapes, strides and alignments. The library takes tens of microseconds to say which of its algorithms is best, so the
// last answers are kept.
class Plans {
 public:
  // `desc`: the first matrix transposed, sums in f32. All must outlive this.
  Plans(const CublasLt& library, CublasLt::Handle handle, CublasLt::Desc desc, size_t workspace_bytes)
      : library_(library), handle_(handle), desc_(desc), workspace_bytes_(workspace_bytes) {}

  // Not usable where the library has no way to do it. Valid until the next call.
  Plan& Of(const FlabMatmul& call);

 private:
  // All that the choice of an algorithm depends on. Whether something is added to is not among it.
  using Key = std::array<int64_t, 10>;

  Plan Make(const FlabMatmul& call) const;
  Owned MakeLayout(int type, int64_t length, int64_t count, int64_t stride) const;
  Owned MakePreference(const FlabMatmul& call) const;
  bool Choose(Plan& plan, const FlabMatmul& call) const;

  const CublasLt& library_;
  CublasLt::Handle handle_;
  CublasLt::Desc desc_;
  size_t workspace_bytes_;
  std::map<Key, Plan> plans_;
};

}  // namespace flab::cuda
