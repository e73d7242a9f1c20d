#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cuda/kernel.cuh"

namespace flab::cuda {

// The part of cuBLASLt that products need, in our own words: neither its headers nor the library are there when this is built.
// cublaslt_check.cu compares all of it with the headers where they are.
struct CublasLt {
  static constexpr int kSuccess = 0, kNotSupported = 15;
  static constexpr int kF32 = 0, kBf16 = 14;
  static constexpr int kComputeF32 = 68;  // f32 factors are not rounded to TF32
  static constexpr int kTransposed = 1, kTransposeA = 3;
  // What an algorithm may need: bytes of workspace at most (uint64_t), ways to add parts of the depth (uint32_t; none is always
  // allowed), bytes that the matrices are aligned to at least (uint32_t).
  static constexpr int kWorkspace = 1, kReductions = 3, kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;
  static constexpr uint32_t kReduceSeparately = 2;  // in f32 in the workspace, by a kernel of its own

  using Handle = void*;
  using Desc = void*;
  using Layout = void*;
  using Preference = void*;
  struct Algorithm {
    uint64_t data[8];
  };
  struct Heuristic {
    Algorithm algorithm;
    size_t workspace;  // bytes
    int state;
    float waves;
    int reserved[4];
  };

  size_t (*GetVersion)();  // 10,000 * major + 100 * minor + patch
  const char* (*GetStatusString)(int status);
  int (*Create)(Handle* handle);
  int (*Destroy)(Handle handle);
  int (*MatmulDescCreate)(Desc* desc, int compute, int scale);
  int (*MatmulDescDestroy)(Desc desc);
  int (*MatmulDescSetAttribute)(Desc desc, int attribute, const void* value, size_t bytes);
  int (*MatrixLayoutCreate)(Layout* layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*MatrixLayoutDestroy)(Layout layout);
  int (*MatmulPreferenceCreate)(Preference* preference);
  int (*MatmulPreferenceDestroy)(Preference preference);
  int (*MatmulPreferenceSetAttribute)(Preference preference, int attribute, const void* value, size_t bytes);
  int (*MatmulAlgoGetHeuristic)(Handle handle, Desc desc, Layout a, Layout b, Layout c, Layout d, Preference preference, int asked, Heuristic* results,
                                int* given);
  int (*Matmul)(Handle handle, Desc desc, const void* alpha, const void* a, Layout a_layout, const void* b, Layout b_layout, const void* beta, const void* c,
                Layout c_layout, void* d, Layout d_layout, const Algorithm* algorithm, void* workspace, size_t workspace_bytes, cudaStream_t stream);
};

// All calls, for what is done with each.
#define FLAB_CUBLASLT_CALLS(DO)                                                                                                                       \
  DO(GetVersion) DO(GetStatusString) DO(Create) DO(Destroy) DO(MatmulDescCreate) DO(MatmulDescDestroy) DO(MatmulDescSetAttribute) DO(MatrixLayoutCreate) \
  DO(MatrixLayoutDestroy) DO(MatmulPreferenceCreate) DO(MatmulPreferenceDestroy) DO(MatmulPreferenceSetAttribute) DO(MatmulAlgoGetHeuristic) DO(Matmul)

// The usual names of the library, the best first.
std::vector<std::string> NamesOfCublasLt();

// The library, or why it can't be had.
struct OpenedCublasLt {
  std::unique_ptr<CublasLt> library;
  std::string description;  // "cuBLASLt 13.1 (libcublasLt.so.13)", or "libcublasLt.so.13: " and the reason
};

// What was opened stays for as long as the process does, as it is known to the driver then.
OpenedCublasLt OpenCublasLt(const std::string& name);

}  // namespace flab::cuda
