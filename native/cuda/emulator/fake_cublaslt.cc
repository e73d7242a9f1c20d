// A cuBLASLt for tests on the emulator: it multiplies by loops, in the order of the stream, and is stricter than the true one. What
// that would take for undefined, or quietly do more slowly, ends the process here with a sentence.

#include "cuda/emulator/fake_cublaslt.h"

#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "cuda/cublaslt.h"

namespace {

using flab::cuda::CublasLt;

constexpr uint64_t kAlgorithm = 0xf1ab;  // of the one algorithm
constexpr int kInvalidValue = 7, kNotSupported = CublasLt::kNotSupported;

FakeCublasLt fake;

struct Desc {
  int transpose_a = 0;
};

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t stride;
};

struct Preference {
  uint64_t workspace = 0;
  uint32_t reductions = 7, alignment[4] = {256, 256, 256, 256};
};

void Demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the fake cuBLASLt expected %s\n", what);
  std::abort();
}

template <typename T>
T* As(void* opaque) {
  Demand(opaque, "something that was made before");
  return static_cast<T*>(opaque);
}

template <typename T>
int Release(void* opaque, int& count) {
  delete As<T>(opaque);
  --count;
  return CublasLt::kSuccess;
}

template <typename T>
void Set(T& to, const void* value, size_t bytes) {
  Demand(bytes == sizeof to, "an attribute of its own size");
  std::memcpy(&to, value, bytes);
}

double NumberAt(const void* matrix, const Layout& layout, uint64_t row, uint64_t column) {
  const uint64_t place = column * static_cast<uint64_t>(layout.stride) + row;
  if (layout.type == CublasLt::kF32) return static_cast<const float*>(matrix)[place];
  return flab::cuda::ToFloat(static_cast<const flab::cuda::Bf16*>(matrix)[place]);
}

// d = a^T * b + beta * c, where c is d.
void Multiply(const void* a, const Layout& a_layout, const void* b, const Layout& b_layout, float beta, float* d, const Layout& d_layout) {
  for (uint64_t column = 0; column < d_layout.columns; ++column) {
    for (uint64_t row = 0; row < d_layout.rows; ++row) {
      double sum = 0;
      for (uint64_t k = 0; k < a_layout.rows; ++k) sum += NumberAt(a, a_layout, k, row) * NumberAt(b, b_layout, k, column);
      float& to = d[column * static_cast<uint64_t>(d_layout.stride) + row];
      to = static_cast<float>(beta == 0 ? sum : sum + beta * to);
    }
  }
}

void CheckShapes(const Desc& desc, const Layout& a, const Layout& b, const Layout& d) {
  Demand(desc.transpose_a == CublasLt::kTransposed, "the first matrix transposed");
  Demand(a.rows == b.rows && a.columns == d.rows && b.columns == d.columns, "shapes that fit");
  Demand(a.type == b.type && d.type == CublasLt::kF32, "factors of one type and f32 sums");
}

bool IsAligned(const void* matrix, uint32_t bytes) { return reinterpret_cast<uintptr_t>(matrix) % bytes == 0; }

}  // namespace

#define FAKE extern "C" __attribute__((visibility("default")))

FAKE FakeCublasLt* flab_fake_cublaslt() { return &fake; }

FAKE size_t cublasLtGetVersion() { return fake.version; }

FAKE const char* cublasLtGetStatusString(int status) { return status == kNotSupported ? "not supported" : "another status"; }

FAKE int cublasLtCreate(void** handle) {
  if (fake.create_status != CublasLt::kSuccess) return fake.create_status;
  ++fake.handles;
  *handle = new int();
  return CublasLt::kSuccess;
}

FAKE int cublasLtDestroy(void* handle) { return Release<int>(handle, fake.handles); }

FAKE int cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
  Demand(compute == CublasLt::kComputeF32 && scale == CublasLt::kF32, "sums and scales in f32");
  ++fake.descs;
  *desc = new Desc();
  return CublasLt::kSuccess;
}

FAKE int cublasLtMatmulDescDestroy(void* desc) { return Release<Desc>(desc, fake.descs); }

FAKE int cublasLtMatmulDescSetAttribute(void* desc, int attribute, const void* value, size_t bytes) {
  Demand(attribute == CublasLt::kTransposeA, "an attribute that it knows");
  Set(As<Desc>(desc)->transpose_a, value, bytes);
  return CublasLt::kSuccess;
}

FAKE int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  if (stride < static_cast<int64_t>(rows)) return kInvalidValue;
  ++fake.layouts;
  *layout = new Layout{type, rows, columns, stride};
  return CublasLt::kSuccess;
}

FAKE int cublasLtMatrixLayoutDestroy(void* layout) { return Release<Layout>(layout, fake.layouts); }

FAKE int cublasLtMatmulPreferenceCreate(void** preference) {
  ++fake.preferences;
  *preference = new Preference();
  return CublasLt::kSuccess;
}

FAKE int cublasLtMatmulPreferenceDestroy(void* preference) { return Release<Preference>(preference, fake.preferences); }

FAKE int cublasLtMatmulPreferenceSetAttribute(void* opaque, int attribute, const void* value, size_t bytes) {
  auto& preference = *As<Preference>(opaque);
  if (attribute == CublasLt::kWorkspace) {
    Set(preference.workspace, value, bytes);
  } else if (attribute == CublasLt::kReductions) {
    Set(preference.reductions, value, bytes);
  } else {
    Demand(attribute >= CublasLt::kAlignmentA && attribute <= CublasLt::kAlignmentD, "an attribute that it knows");
    Set(preference.alignment[attribute - CublasLt::kAlignmentA], value, bytes);
  }
  return CublasLt::kSuccess;
}

// Its algorithm remembers what it was promised, for the product to be held to.
FAKE int cublasLtMatmulAlgoGetHeuristic(void* handle, void* desc, void* a, void* b, void* c, void* d, void* opaque, int asked, CublasLt::Heuristic* results,
                                        int* given) {
  As<int>(handle);
  ++fake.heuristics;
  if (fake.throws_memory) throw std::bad_alloc();
  if (fake.throws_words) throw std::runtime_error("of the library's");
  *given = 0;
  if (fake.heuristic_status != CublasLt::kSuccess) return fake.heuristic_status;
  CheckShapes(*As<Desc>(desc), *As<Layout>(a), *As<Layout>(b), *As<Layout>(d));
  Demand(c == d && asked == 1, "one algorithm, that adds to what it writes");
  const auto& preference = *As<Preference>(opaque);
  Demand(preference.reductions == CublasLt::kReduceSeparately, "no reduction whose order is left to chance");
  fake.workspace = preference.workspace;
  CublasLt::Heuristic& result = results[0] = {};
  for (int i = 0; i < 4; ++i) {
    if (preference.alignment[i] < fake.least_alignment) return CublasLt::kSuccess;
    result.algorithm.data[i] = preference.alignment[i];
  }
  result.algorithm.data[4] = kAlgorithm;
  result.workspace = preference.workspace;
  *given = 1;
  return CublasLt::kSuccess;
}

FAKE int cublasLtMatmul(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b, void* b_layout, const void* beta,
                        const void* c, void* c_layout, void* d, void* d_layout, const CublasLt::Algorithm* algorithm, void* workspace, size_t workspace_bytes,
                        cudaStream_t stream) {
  As<int>(handle);
  ++fake.products;
  if (fake.matmul_status != CublasLt::kSuccess) return fake.matmul_status;
  const Layout first = *As<Layout>(a_layout), second = *As<Layout>(b_layout), out = *As<Layout>(d_layout);
  CheckShapes(*As<Desc>(desc), first, second, out);
  Demand(c == d && c_layout == d_layout && *static_cast<const float*>(alpha) == 1, "to add to what it writes, unscaled");
  Demand(algorithm->data[4] == kAlgorithm && workspace_bytes >= fake.workspace && (workspace || workspace_bytes == 0), "the algorithm and its workspace");
  const void* const matrices[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) Demand(IsAligned(matrices[i], static_cast<uint32_t>(algorithm->data[i])), "the alignment that was promised");
  const float scale = *static_cast<const float*>(beta);
  const bool put = stream->Put([=] {
    if (workspace) static_cast<std::byte*>(workspace)[0] = static_cast<std::byte*>(workspace)[workspace_bytes - 1] = std::byte{};
    Multiply(a, first, b, second, scale, static_cast<float*>(d), out);
  });
  return put ? CublasLt::kSuccess : kInvalidValue;
}
