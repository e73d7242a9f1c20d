// Opens cuBLASLt: see cublaslt.h.

#include "cuda/cublaslt.h"

#include <dlfcn.h>

#include <iterator>
#include <utility>

namespace flab::cuda {
namespace {

#ifdef FLAB_EMULATE
// The true one would compute on a GPU, in memory that is none of a GPU.
constexpr const char* kNames[] = {"libcublasLt_emulated.so.13", "libcublasLt_emulated.so.12"};
#else
constexpr const char* kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
#endif

// cublaslt.h says what holds for these versions.
constexpr size_t kOldest = 12, kNewest = 13;

// dlerror's words without what they begin with: the name, and that it is about opening a file.
std::string Shortened(std::string words, const std::string& name) {
  for (const std::string& beginning : {name + ": ", std::string("cannot open shared object file: ")}) {
    if (words.rfind(beginning, 0) == 0) words.erase(0, beginning.size());
  }
  return words;
}

// The first call that the library does not have; null if it has all.
const char* Resolve(void* opened, CublasLt& library) {
#define FLAB_RESOLVE(name)                                                                  \
  library.name = reinterpret_cast<decltype(library.name)>(dlsym(opened, "cublasLt" #name)); \
  if (!library.name) return "cublasLt" #name;
  FLAB_CUBLASLT_CALLS(FLAB_RESOLVE)
  return nullptr;
}

}  // namespace

std::vector<std::string> NamesOfCublasLt() { return {std::begin(kNames), std::end(kNames)}; }

OpenedCublasLt OpenCublasLt(const std::string& name) {
  void* opened = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!opened) return {nullptr, name + ": " + Shortened(dlerror(), name)};
  const auto refuse = [&](const std::string& reason) -> OpenedCublasLt {
    dlclose(opened);
    return {nullptr, name + ": " + reason};
  };
  auto library = std::make_unique<CublasLt>();
  if (const char* missing = Resolve(opened, *library)) return refuse(std::string("is not cuBLASLt, it has no ") + missing);
  const size_t number = library->GetVersion(), major = number / 10000;
  const std::string version = std::to_string(major) + "." + std::to_string(number / 100 % 100);
  if (major < kOldest || major > kNewest) return refuse("is cuBLASLt " + version + ", expected 12 or 13");
  return {std::move(library), "cuBLASLt " + version + " (" + name + ")"};
}

}  // namespace flab::cuda
