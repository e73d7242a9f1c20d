#include "checkpoint/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/buffer.h"
#include "base/error.h"
#include "cpu/slice.h"

namespace flab {
namespace {

constexpr int64_t kBufferBytes = int64_t{8} << 20;  // large enough for full-speed writes, small against any model
constexpr int64_t kSliceBytes = 256 << 10;          // of output a task

class OutputFile {
 public:
  explicit OutputFile(const std::string& path) : path_(path), file_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_ < 0) throw SystemError(path_, errno);
  }
  ~OutputFile() {
    if (file_ >= 0) close(file_);
  }
  OutputFile(const OutputFile&) = delete;

  void Write(Job& job, const std::byte* data, int64_t bytes) {
    while (bytes > 0) {
      job.CheckCancelled();
      const ssize_t written = write(file_, data, std::min(bytes, kBufferBytes));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw SystemError(path_, errno);
      data += written;
      bytes -= written;
      job.Advance(written);
    }
  }

  void Finish() {
    if (fsync(file_) != 0) throw SystemError(path_, errno);
    const int result = close(file_);
    file_ = -1;
    if (result != 0) throw SystemError(path_, errno);
  }

 private:
  const std::string path_;
  int file_;
};

// Rows [first, first + count) of what the piece keeps, gathered into `out`.
void GatherRows(const WritePiece& piece, int64_t first, int64_t count, std::byte* out) {
  const std::byte* base = piece.file->data() + piece.begin;
  const int64_t row_bytes = piece.columns * piece.item_bytes;
  if (!piece.keep_columns) {
    SliceRows(base, row_bytes, std::span(*piece.keep_rows).subspan(first, count), out);
    return;
  }
  const int64_t out_bytes = piece.kept_columns() * piece.item_bytes;
  if (!piece.keep_rows) {
    SliceColumns(base + first * row_bytes, count, piece.columns, piece.item_bytes, *piece.keep_columns, out);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    SliceColumns(base + (*piece.keep_rows)[first + i] * row_bytes, 1, piece.columns, piece.item_bytes, *piece.keep_columns,
                 out + i * out_bytes);
  }
}

void WriteOne(Job& job, const WritePiece& piece, OutputFile& file, Buffer<std::byte>& buffer) {
  if (!piece.keep_rows && !piece.keep_columns) {
    // Straight from the mapping: the kernel copies once.
    file.Write(job, piece.file->data() + piece.begin, piece.bytes());
    return;
  }
  const int64_t row_bytes = piece.kept_columns() * piece.item_bytes;
  if (row_bytes == 0) return;
  const int64_t rows_at_once = std::max<int64_t>(1, kBufferBytes / row_bytes);
  const int64_t rows_a_task = std::max<int64_t>(1, kSliceBytes / row_bytes);
  for (int64_t first = 0; first < piece.kept_rows(); first += rows_at_once) {
    const int64_t count = std::min(rows_at_once, piece.kept_rows() - first);
    std::byte* out = buffer.Reserve(count * row_bytes);
    job.Parallel((count + rows_a_task - 1) / rows_a_task, [&](int64_t task) {
      const int64_t begin = task * rows_a_task;
      GatherRows(piece, first + begin, std::min(rows_a_task, count - begin), out + begin * row_bytes);
    });
    file.Write(job, out, count * row_bytes);
  }
}

}  // namespace

int64_t WriteFiles(Job& job, const std::vector<WriteFile>& files) {
  int64_t total = 0;
  for (const WriteFile& file : files) {
    total += static_cast<int64_t>(file.header.size());
    for (const WritePiece& piece : file.pieces) total += piece.bytes();
  }
  job.SetTotal(total);
  Buffer<std::byte> buffer;
  for (const WriteFile& file : files) {
    OutputFile output(file.path);
    output.Write(job, file.header.data(), static_cast<int64_t>(file.header.size()));
    for (const WritePiece& piece : file.pieces) WriteOne(job, piece, output, buffer);
    output.Finish();
  }
  return total;
}

}  // namespace flab
