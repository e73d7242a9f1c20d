#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/job.h"
#include "base/mapped_file.h"

namespace flab {

// A block of rows x columns items in a file, of which some rows and columns are written. The file is read past its mapping.
struct WritePiece {
  std::shared_ptr<MappedFile> file;
  int64_t begin, rows, columns, item_bytes;
  std::optional<std::vector<uint32_t>> keep_rows, keep_columns;  // ascending; absent: all

  int64_t kept_rows() const { return keep_rows ? static_cast<int64_t>(keep_rows->size()) : rows; }
  int64_t kept_columns() const { return keep_columns ? static_cast<int64_t>(keep_columns->size()) : columns; }
  int64_t bytes() const { return kept_rows() * kept_columns() * item_bytes; }
};

// A file to make: the header, then the pieces.
struct WriteFile {
  std::string path;
  std::vector<std::byte> header;
  std::vector<WritePiece> pieces;
};

// Writes the files one after the other, each new (an existing one is an error) and synced to disk at its
// end. Needs two small buffers, whatever the sizes. Returns the bytes written. Throws a system error (ENOSPC, ...)
// with the file's path, or ERR_READ with the source's; what was written until then stays, for the caller to
// remove with its folder.
int64_t WriteFiles(Job& job, const std::vector<WriteFile>& files);

}  // namespace flab
