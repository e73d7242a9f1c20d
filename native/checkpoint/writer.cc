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

constexpr int64_t kPartBytes = 2 << 20;           // read while as much is written; two of them stay in the L3 cache
constexpr int64_t kTaskBytes = 128 << 10;         // of a part
constexpr int64_t kReadBytes = 64 << 10;          // of the source at once: still in the L2 cache when its items are moved
constexpr int64_t kGapBytes = 4 << 10;            // between kept rows: reading them too is faster than another read
constexpr int64_t kStartBytes = 8 << 20;          // after which the disk is told to begin with them

// What is written at once: a header, a range of a source file as it is, or some of the rows that a piece keeps.
struct Part {
  const WriteFile* file;
  bool last = false;                   // of its file
  int64_t bytes = 0;
  const MappedFile* source = nullptr;  // not of a header
  int64_t begin = 0;                   // of the range
  const WritePiece* piece = nullptr;   // not of a range
  int64_t first_row = 0, rows = 0;
};

std::vector<Part> Parts(const std::vector<WriteFile>& files) {
  std::vector<Part> parts;
  for (const WriteFile& file : files) {
    parts.push_back({.file = &file, .bytes = static_cast<int64_t>(file.header.size())});
    for (const WritePiece& piece : file.pieces) {
      if (piece.bytes() == 0) continue;
      const MappedFile* source = piece.file.get();
      if (piece.keep_rows || piece.keep_columns) {
        const int64_t row_bytes = piece.kept_columns() * piece.item_bytes, step = std::max<int64_t>(1, kPartBytes / row_bytes);
        for (int64_t row = 0; row < piece.kept_rows(); row += step) {
          const int64_t rows = std::min(step, piece.kept_rows() - row);
          parts.push_back({.file = &file, .bytes = rows * row_bytes, .source = source, .piece = &piece, .first_row = row, .rows = rows});
        }
        continue;
      }
      for (int64_t done = 0; done < piece.bytes();) {
        // Whole tensors that follow each other in the source are one range.
        const Part& before = parts.back();
        const bool follows = before.source == source && !before.piece && before.begin + before.bytes == piece.begin + done;
        if (!follows || before.bytes == kPartBytes) parts.push_back({.file = &file, .source = source, .begin = piece.begin + done});
        const int64_t count = std::min(kPartBytes - parts.back().bytes, piece.bytes() - done);
        parts.back().bytes += count;
        done += count;
      }
    }
    parts.back().last = true;
  }
  return parts;
}

class OutputFile {
 public:
  explicit OutputFile(const std::string& path) : path_(path), file_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_ < 0) throw SystemError(path_, errno);
  }
  ~OutputFile() {
    if (file_ >= 0) close(file_);
  }
  OutputFile(const OutputFile&) = delete;

  void Write(const std::byte* data, int64_t bytes) {
    while (bytes > 0) {
      const ssize_t count = write(file_, data, bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw SystemError(path_, errno);
      data += count, bytes -= count, written_ += count;
    }
#ifdef __linux__
    // The disk begins with what is there, so that Finish waits for little.
    if (written_ - started_ < kStartBytes) return;
    sync_file_range(file_, started_, written_ - started_, SYNC_FILE_RANGE_WRITE);
    started_ = written_;
#endif
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
  int64_t written_ = 0, started_ = 0;
};

void WritePart(const Part& part, const std::byte* buffer, std::optional<OutputFile>& output) {
  if (!output) output.emplace(part.file->path);
  output->Write(part.source ? buffer : part.file->header.data(), part.bytes);
  if (part.last) {
    output->Finish();
    output.reset();
  }
}

// Rows [first, first + count) of what the piece keeps.
void GatherRows(const WritePiece& piece, const ColumnSlicer* columns, int64_t first, int64_t count, std::byte* out) {
  const int64_t row_bytes = piece.columns * piece.item_bytes, out_bytes = piece.kept_columns() * piece.item_bytes;
  const auto row = [&](int64_t i) -> int64_t { return piece.keep_rows ? (*piece.keep_rows)[first + i] : first + i; };
  Buffer<std::byte> read;
  std::vector<uint32_t> keep;
  for (int64_t i = 0, end; i < count; i = end) {
    const int64_t begin = row(i);
    for (end = i + 1; end < count; ++end) {
      if ((row(end) + 1 - begin) * row_bytes > kReadBytes || (row(end) - row(end - 1) - 1) * row_bytes > kGapBytes) break;
    }
    const int64_t rows = row(end - 1) + 1 - begin, from = piece.begin + begin * row_bytes;
    if (!columns && rows == end - i) {
      piece.file->Read(from, rows * row_bytes, out + i * out_bytes);
      continue;
    }
    piece.file->Read(from, rows * row_bytes, read.Reserve(rows * row_bytes));
    keep.clear();
    for (int64_t j = i; j < end; ++j) keep.push_back(static_cast<uint32_t>(row(j) - begin));
    if (columns) {
      columns->Slice(read.data(), keep, out + i * out_bytes);
    } else {
      SliceRows(read.data(), row_bytes, keep, out + i * out_bytes);
    }
  }
}

}  // namespace

int64_t WriteFiles(Job& job, const std::vector<WriteFile>& files) {
  const std::vector<Part> parts = Parts(files);
  int64_t total = 0;
  for (const Part& part : parts) total += part.bytes;
  job.SetTotal(total);
  std::optional<OutputFile> output;
  Buffer<std::byte> buffers[2];
  std::unique_ptr<ColumnSlicer> columns;
  // Each part is read while the one before it is written.
  for (size_t i = 0; i <= parts.size(); ++i) {
    const Part* ready = i > 0 ? &parts[i - 1] : nullptr;
    const Part* next = i < parts.size() && parts[i].source ? &parts[i] : nullptr;
    int64_t unit = 1, units = 0;  // rows or bytes
    if (next) {
      const WritePiece* piece = next->piece;
      if (piece && next->first_row == 0) {
        columns.reset();
        if (piece->keep_columns) columns = std::make_unique<ColumnSlicer>(piece->columns, piece->item_bytes, *piece->keep_columns);
      }
      buffers[i % 2].Reserve(next->bytes);
      units = piece ? next->rows : next->bytes;
      unit = next->bytes / units;
    }
    const int64_t step = std::max<int64_t>(1, kTaskBytes / unit), writes = ready ? 1 : 0;
    job.Parallel(writes + (units + step - 1) / step, [&](int64_t task) {
      if (task < writes) return WritePart(*ready, buffers[(i + 1) % 2].data(), output);
      const int64_t first = (task - writes) * step, count = std::min(step, units - first);
      std::byte* out = buffers[i % 2].data() + first * unit;
      if (next->piece) {
        GatherRows(*next->piece, columns.get(), next->first_row + first, count, out);
      } else {
        next->source->Read(next->begin + first, count, out);
      }
    });
    if (ready && ready->bytes > 0) job.Advance(ready->bytes);
  }
  return total;
}

}  // namespace flab
