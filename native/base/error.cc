#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace flab {
namespace {

// Names for the reasons that people can do something about; the TypeScript side has a hint for each.
constexpr struct {
  int number;
  const char* name;
} kNames[] = {{ENOENT, "ENOENT"}, {EACCES, "EACCES"}, {EPERM, "EPERM"},   {EISDIR, "EISDIR"}, {ENOTDIR, "ENOTDIR"},
              {ENOSPC, "ENOSPC"}, {EDQUOT, "EDQUOT"}, {EFBIG, "EFBIG"},   {EROFS, "EROFS"},   {EMFILE, "EMFILE"},
              {EEXIST, "EEXIST"}, {ENOMEM, "ENOMEM"}, {EFAULT, "EFAULT"}, {EIO, "EIO"}};

}  // namespace

Error SystemError(const std::string& file, int error_number) {
  const char* code = "EIO";
  for (const auto& entry : kNames) {
    if (entry.number == error_number) code = entry.name;
  }
  return Error(code, std::strerror(error_number), file);
}

}  // namespace flab
