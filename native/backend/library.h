#pragma once

#include <string>

#include "backend/backend.h"
#include "base/error.h"

namespace flab {

// Opens a backend's library, once for each path: first the driver (libcuda.so.1), without which nothing else is worth opening, then
// the library by its full path, then its table. Throws Error("ERR_NO_DRIVER") or Error("ERR_NO_BACKEND") with the reason.
//
// FLAB_CUDA_LIBRARY=PATH opens that file instead, whether there is a driver or not.
const FlabBackend& OpenBackend(const std::string& path);

// The error for a call that failed; `what` was being done. Codes: ERR_NO_DRIVER, ERR_OLD_DRIVER, ERR_NO_DEVICE, ERR_DEVICE_BUSY,
// ERR_DEVICE_UNSUPPORTED, ERR_DEVICE_MEMORY, ERR_DEVICE_FAULT, ERR_INTERNAL.
Error BackendError(const FlabBackend& backend, const std::string& what);

}  // namespace flab
