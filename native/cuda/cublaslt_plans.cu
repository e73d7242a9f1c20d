// Asks cuBLASLt how to do a product: see cublaslt_plans.h.

#include "cuda/cublaslt_plans.h"

#include <algorithm>

namespace flab::cuda {
namespace {

constexpr size_t kMostPlans = 256;        // a model has about ten shapes, times the sizes of chunks
constexpr uintptr_t kMostAlignment = 256;  // bytes: what the library takes for granted; less may exclude some of its kernels

uint32_t AlignmentOf(const void* matrix) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(matrix) | kMostAlignment;
  return static_cast<uint32_t>(address & -address);
}

}  // namespace

Plan& Plans::Of(const FlabMatmul& call) {
  const Key key{call.rows,       call.columns, call.depth,          call.a_stride,             call.weights_stride,
                call.out_stride, call.dtype,   AlignmentOf(call.a), AlignmentOf(call.weights), AlignmentOf(call.out)};
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second;
  if (plans_.size() >= kMostPlans) plans_.clear();
  return plans_.emplace(key, Make(call)).first->second;
}

Plan Plans::Make(const FlabMatmul& call) const {
  const int type = call.dtype == FLAB_BF16 ? CublasLt::kBf16 : CublasLt::kF32;
  Plan plan{MakeLayout(type, call.depth, call.columns, call.weights_stride),
            MakeLayout(type, call.depth, call.rows, call.a_stride),
            MakeLayout(CublasLt::kF32, call.columns, call.rows, call.out_stride),
            {},
            false};
  plan.usable = plan.weights && plan.a && plan.out && Choose(plan, call);
  return plan;
}

// `count` rows of ours, which are columns to the library.
Owned Plans::MakeLayout(int type, int64_t length, int64_t count, int64_t stride) const {
  if (count == 1) stride = std::max(stride, length);  // the only row's may be anything
  Owned layout(nullptr, library_.MatrixLayoutDestroy);
  void* made = nullptr;
  if (library_.MatrixLayoutCreate(&made, type, static_cast<uint64_t>(length), static_cast<uint64_t>(count), stride) == CublasLt::kSuccess) layout.reset(made);
  return layout;
}

// Algorithms give the same bits each time if the depth is summed in one go, or in parts that are added in a step of their own.
Owned Plans::MakePreference(const FlabMatmul& call) const {
  Owned preference(nullptr, library_.MatmulPreferenceDestroy);
  void* made = nullptr;
  if (library_.MatmulPreferenceCreate(&made) != CublasLt::kSuccess) return preference;
  preference.reset(made);
  bool all = true;
  const auto set = [&](int attribute, auto value) {
    all &= library_.MatmulPreferenceSetAttribute(made, attribute, &value, sizeof value) == CublasLt::kSuccess;
  };
  set(CublasLt::kWorkspace, static_cast<uint64_t>(workspace_bytes_));
  set(CublasLt::kReductions, CublasLt::kReduceSeparately);
  set(CublasLt::kAlignmentA, AlignmentOf(call.weights));
  set(CublasLt::kAlignmentB, AlignmentOf(call.a));
  set(CublasLt::kAlignmentC, AlignmentOf(call.out));
  set(CublasLt::kAlignmentD, AlignmentOf(call.out));
  if (!all) preference.reset();
  return preference;
}

bool Plans::Choose(Plan& plan, const FlabMatmul& call) const {
  const Owned preference = MakePreference(call);
  if (!preference) return false;
  CublasLt::Heuristic best{};
  int given = 0;
  const int status = library_.MatmulAlgoGetHeuristic(handle_, desc_, plan.weights.get(), plan.a.get(), plan.out.get(), plan.out.get(), preference.get(), 1,
                                                     &best, &given);
  plan.algorithm = best.algorithm;
  return status == CublasLt::kSuccess && given == 1 && best.state == CublasLt::kSuccess && best.workspace <= workspace_bytes_;
}

}  // namespace flab::cuda
