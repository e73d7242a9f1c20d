// Products by cuBLASLt.
//
// It knows matrices by columns, and our rows are its columns: out^T [columns, rows] = weights [columns, depth] * a^T [depth, rows],
// where the weights are what it calls transposed.

#include "cuda/products.h"

#include <optional>
#include <string>
#include <utility>

#include "cuda/cublaslt_plans.h"

namespace flab::cuda {
namespace {

// Bytes: the most is what NVIDIA recommends for H100 and later, and halved while the device has less; below the least there is none.
constexpr size_t kMostWorkspace = size_t{32} << 20, kLeastWorkspace = size_t{1} << 20;

class NoProducts : public Products {
 public:
  explicit NoProducts(std::string reason) : reason_(std::move(reason)) {}
  const char* description() const override { return reason_.c_str(); }
  bool fast() const override { return false; }
  bool Multiply(cudaStream_t, const FlabMatmul&) override { return false; }

 private:
  std::string reason_;
};

class Workspace {
 public:
  Workspace() {
    for (bytes_ = kMostWorkspace; bytes_ >= kLeastWorkspace; bytes_ /= 2) {
      if (cudaMalloc(&memory_, bytes_) == cudaSuccess) return;
      cudaGetLastError();  // it is no fault, and must not be found by the next launch
    }
    bytes_ = 0;
  }
  Workspace(const Workspace&) = delete;
  ~Workspace() { cudaFree(memory_); }
  void* memory() const { return memory_; }
  size_t bytes() const { return bytes_; }

 private:
  void* memory_ = nullptr;
  size_t bytes_;
};

class CublasLtProducts : public Products {
 public:
  explicit CublasLtProducts(OpenedCublasLt opened)
      : library_(std::move(opened.library)),
        description_(std::move(opened.description)),
        handle_(nullptr, library_->Destroy),
        desc_(nullptr, library_->MatmulDescDestroy) {}

  // Empty, or why the library can't be used here.
  std::string Begin() {
    if (const int status = MakeDesc()) return library_->GetStatusString(status);
    plans_.emplace(*library_, handle_.get(), desc_.get(), workspace_.bytes());
    const FlabMatmul usual{nullptr, nullptr, nullptr, 128, 128, 128, 128, 128, 128, FLAB_BF16, 0};
    return plans_->Of(usual).usable ? "" : "it has no bf16 product for this device";
  }

  const char* description() const override { return description_.c_str(); }
  bool fast() const override { return true; }

  bool Multiply(cudaStream_t stream, const FlabMatmul& call) override {
    Plan& plan = plans_->Of(call);
    if (!plan.usable) return false;
    const float alpha = 1, beta = call.accumulate ? 1 : 0;
    const int status = library_->Matmul(handle_.get(), desc_.get(), &alpha, call.weights, plan.weights.get(), call.a, plan.a.get(), &beta, call.out,
                                        plan.out.get(), call.out, plan.out.get(), &plan.algorithm, workspace_.memory(), workspace_.bytes(), stream);
    // For other reasons it may fail this time alone.
    if (status == CublasLt::kNotSupported) plan.usable = false;
    return status == CublasLt::kSuccess;
  }

 private:
  int MakeDesc() {
    void *handle = nullptr, *desc = nullptr;
    if (const int status = library_->Create(&handle)) return status;
    handle_.reset(handle);
    if (const int status = library_->MatmulDescCreate(&desc, CublasLt::kComputeF32, CublasLt::kF32)) return status;
    desc_.reset(desc);
    const int transposed = CublasLt::kTransposed;
    return library_->MatmulDescSetAttribute(desc, CublasLt::kTransposeA, &transposed, sizeof transposed);
  }

  std::unique_ptr<CublasLt> library_;
  std::string description_;
  Workspace workspace_;
  Owned handle_, desc_;
  std::optional<Plans> plans_;
};

}  // namespace

std::unique_ptr<Products> Products::Open(const char* path) {
  if (path && !*path) return std::make_unique<NoProducts>("no library was asked for");
  std::string reasons;
  for (const std::string& name : path ? std::vector<std::string>{path} : NamesOfCublasLt()) {
    OpenedCublasLt opened = OpenCublasLt(name);
    std::string reason = opened.description;
    if (opened.library) {
      auto products = std::make_unique<CublasLtProducts>(std::move(opened));
      const std::string failed = products->Begin();
      if (failed.empty()) return products;
      reason += ": " + failed;
    }
    reasons += (reasons.empty() ? "" : "; ") + reason;
  }
  return std::make_unique<NoProducts>(reasons);
}

}  // namespace flab::cuda
