#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace flab {

// The one exception of the core. `code` is a flab-pruner code ("ERR_MEMORY") or, where the operating
// system refused, its name for the reason ("ENOSPC"); `file` is the path concerned, if there is one.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message, std::string file = {})
      : std::runtime_error(message), code(std::move(code)), file(std::move(file)) {}

  const std::string code;
  const std::string file;
};

// The error of a failed system call on `file`, from errno.
Error SystemError(const std::string& file, int error_number);

}  // namespace flab
