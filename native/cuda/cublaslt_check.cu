// Compares what cublaslt.h says of cuBLASLt with its headers, where they are at hand (they come with the CUDA toolkit, not with nvcc
// alone): a difference does not compile.

#if !defined(FLAB_EMULATE) && __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include <type_traits>

#include "cuda/cublaslt.h"

namespace flab::cuda {
namespace {

static_assert(CublasLt::kSuccess == CUBLAS_STATUS_SUCCESS && CublasLt::kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(CublasLt::kF32 == CUDA_R_32F && CublasLt::kBf16 == CUDA_R_16BF);
static_assert(CublasLt::kComputeF32 == CUBLAS_COMPUTE_32F);
static_assert(CublasLt::kTransposed == CUBLAS_OP_T && CublasLt::kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(CublasLt::kWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(CublasLt::kReductions == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(CublasLt::kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(CublasLt::kAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(CublasLt::kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(CublasLt::kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(CublasLt::kReduceSeparately == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);

using Theirs = cublasLtMatmulHeuristicResult_t;
static_assert(sizeof(CublasLt::Algorithm) == sizeof(cublasLtMatmulAlgo_t) && sizeof(CublasLt::Heuristic) == sizeof(Theirs));
static_assert(offsetof(CublasLt::Heuristic, workspace) == offsetof(Theirs, workspaceSize));
static_assert(offsetof(CublasLt::Heuristic, state) == offsetof(Theirs, state));

// Arguments are passed alike if they are as many, and each is of the same size and a pointer in both or in neither. None is a
// floating-point number.
template <typename Own, typename Other>
constexpr bool kPassedAlike = std::is_pointer_v<Own> == std::is_pointer_v<Other> && sizeof(Own) == sizeof(Other) && !std::is_floating_point_v<Other>;
template <typename Own, typename Other>
constexpr bool kCalledAlike = false;
template <typename Own, typename... Owns, typename Other, typename... Others>
constexpr bool kCalledAlike<Own (*)(Owns...), Other(Others...)> = [] {
  if constexpr (sizeof...(Owns) == sizeof...(Others)) return kPassedAlike<Own, Other> && (kPassedAlike<Owns, Others> && ...);
  return false;
}();

#define FLAB_CALLED_ALIKE(name) static_assert(kCalledAlike<decltype(CublasLt::name), decltype(cublasLt##name)>, #name);
FLAB_CUBLASLT_CALLS(FLAB_CALLED_ALIKE)

}  // namespace
}  // namespace flab::cuda
#endif
