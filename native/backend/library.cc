#include "backend/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <mutex>

namespace flab {
namespace {

constexpr const char* kDriver = "libcuda.so.1";

const FlabBackend* Open(const std::string& path, bool needs_driver) {
  if (needs_driver && !dlopen(kDriver, RTLD_NOW | RTLD_LOCAL)) {
    const std::string reason = dlerror();
    throw Error("ERR_NO_DRIVER", "no NVIDIA driver: " + reason);
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const std::string reason = dlerror();
    throw Error("ERR_NO_BACKEND", "the CUDA library could not be opened: " + reason, path);
  }
  const auto entry = reinterpret_cast<FlabBackendEntry>(dlsym(library, FLAB_BACKEND_ENTRY));
  if (!entry) throw Error("ERR_NO_BACKEND", path + ": expected a backend of flab-pruner, got a library without " FLAB_BACKEND_ENTRY, path);
  const FlabBackend* backend = entry(FLAB_BACKEND_VERSION);
  if (!backend || backend->version != FLAB_BACKEND_VERSION || backend->bytes != sizeof(FlabBackend)) {
    throw Error("ERR_NO_BACKEND", path + ": expected a backend of version " + std::to_string(FLAB_BACKEND_VERSION) + ", got one of another version", path);
  }
  return backend;
}

const char* CodeOf(int32_t code) {
  switch (code) {
    case FLAB_NO_DRIVER: return "ERR_NO_DRIVER";
    case FLAB_OLD_DRIVER: return "ERR_OLD_DRIVER";
    case FLAB_NO_DEVICE: return "ERR_NO_DEVICE";
    case FLAB_BUSY: return "ERR_DEVICE_BUSY";
    case FLAB_UNSUPPORTED: return "ERR_DEVICE_UNSUPPORTED";
    case FLAB_OUT_OF_MEMORY: return "ERR_DEVICE_MEMORY";
    case FLAB_FAULT: return "ERR_DEVICE_FAULT";
    default: return "ERR_INTERNAL";
  }
}

}  // namespace

const FlabBackend& OpenBackend(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, const FlabBackend*> opened;
  const std::lock_guard lock(mutex);
  const char* variable = std::getenv("FLAB_CUDA_LIBRARY");
  const bool named = variable && *variable;
  const std::string chosen = named ? variable : path;
  const FlabBackend*& backend = opened[chosen];
  if (!backend) backend = Open(chosen, !named);
  return *backend;
}

Error BackendError(const FlabBackend& backend, const std::string& what) {
  FlabFailure failure;
  backend.failure(&failure);
  return Error(CodeOf(failure.code), what + ": " + failure.message);
}

}  // namespace flab
