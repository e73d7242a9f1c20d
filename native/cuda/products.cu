// cuBLASLt, opened at run time: see products.h.

#include "cuda/products.h"

namespace flab::cuda {
namespace {

class NoProducts : public Products {
 public:
  explicit NoProducts(std::string reason) : reason_(std::move(reason)) {}
  const char* description() const override { return reason_.c_str(); }
  bool fast() const override { return false; }
  bool Multiply(cudaStream_t, const FlabMatmul&) override { return false; }

 private:
  std::string reason_;
};

}  // namespace

std::unique_ptr<Products> Products::Open(const char*) { return std::make_unique<NoProducts>("not looked for"); }

}  // namespace flab::cuda
