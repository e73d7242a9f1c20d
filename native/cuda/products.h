#pragma once

#include <memory>

#include "cuda/launch.cuh"

namespace flab::cuda {

// The library of matrix products, cuBLASLt, opened at run time: it is half a gigabyte and never shipped.
class Products {
 public:
  // For the current device. `path`: null for the usual names (version 13, then 12), "" for none. Never fails: without a library it says
  // why.
  static std::unique_ptr<Products> Open(const char* path);
  virtual ~Products() = default;

  // Its version and name, or why there is none.
  virtual const char* description() const = 0;
  virtual bool fast() const = 0;

  // False where it has no way to do this call, or fails; then a kernel of our own does it, or meets what is wrong with the device.
  virtual bool Multiply(cudaStream_t stream, const FlabMatmul& call) = 0;
};

}  // namespace flab::cuda
