#include "checkpoint/writer.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/testing.h"

namespace flab {
namespace {

using testing::Random;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flab-writer-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<MappedFile> Source(const TemporaryFolder& folder, const std::string& name, int64_t bytes) {
  Random random(static_cast<uint32_t>(bytes));
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>(random.Bits());
  std::ofstream(folder / name, std::ios::binary) << text;
  return MappedFile::Open(folder / name);
}

std::vector<std::byte> Bytes(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

// What a piece must become, item by item.
std::string Naive(const WritePiece& piece) {
  const char* base = reinterpret_cast<const char*>(piece.file->data()) + piece.begin;
  std::string out;
  for (int64_t i = 0; i < piece.kept_rows(); ++i) {
    const int64_t row = piece.keep_rows ? (*piece.keep_rows)[i] : i;
    for (int64_t j = 0; j < piece.kept_columns(); ++j) {
      const int64_t column = piece.keep_columns ? (*piece.keep_columns)[j] : j;
      out.append(base + (row * piece.columns + column) * piece.item_bytes, piece.item_bytes);
    }
  }
  return out;
}

TEST("pieces with every combination of kept rows and columns are written as they are item by item") {
  const TemporaryFolder folder;
  Random random(1);
  const auto source = Source(folder, "source", 100000);
  WriteFile file{folder / "out", Bytes("header"), {}};
  std::string expected = "header";
  for (const int64_t item_bytes : {1, 2, 3, 4, 8}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {1, 50}, {50, 1}, {37, 29}, {3, 400}}) {
      for (int keeps = 0; keeps < 6; ++keeps) {
        WritePiece piece{source, random.Below(1000), rows, columns, item_bytes, {}, {}};
        if (keeps % 2) piece.keep_rows = random.Indices(rows, 0.6);
        if (keeps / 2 == 1) piece.keep_columns = random.Indices(columns, 0.3);
        if (keeps / 2 == 2) piece.keep_columns = random.Indices(columns, 0.98);
        EXPECT(piece.bytes() == static_cast<int64_t>(Naive(piece).size()));
        expected += Naive(piece);
        file.pieces.push_back(std::move(piece));
      }
    }
  }
  Job job;
  EXPECT(WriteFiles(job, {file}) == static_cast<int64_t>(expected.size()));
  EXPECT(ReadAll(file.path) == expected);
}

TEST("pieces larger than the writer's buffer are whole, and progress reaches the total") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 21 << 20);
  Random random(2);
  const int64_t rows = 3000, columns = 3500;  // of 2 bytes: 21 MB
  const WriteFile files[] = {
      {folder / "a", Bytes("a"), {{source, 0, rows, columns, 2, random.Indices(rows, 0.9), {}}, {source, 5, 1, 20 << 20, 1, {}, {}}}},
      {folder / "b", Bytes("b"), {{source, 3, rows, columns - 1, 2, random.Indices(rows, 0.95), random.Indices(columns - 1, 0.9)}}},
      {folder / "c", {}, {}},
  };
  int64_t last_done = 0, last_total = 0, events = 0;
  bool ascending = true;
  Job job([&](int64_t done, int64_t total) {
    ascending &= done > last_done && done <= total;
    last_done = done, last_total = total, ++events;
  });
  const int64_t written = WriteFiles(job, {files[0], files[1], files[2]});
  EXPECT(ascending && last_done == last_total && last_total == written && events > 5, last_done, " of ", last_total, ", ", events, " events");
  int64_t bytes = 0;
  for (const WriteFile& file : files) {
    std::string expected(reinterpret_cast<const char*>(file.header.data()), file.header.size());
    for (const WritePiece& piece : file.pieces) expected += Naive(piece);
    EXPECT(ReadAll(file.path) == expected, file.path);
    bytes += static_cast<int64_t>(expected.size());
  }
  EXPECT(written == bytes);
}

TEST("rows far apart, rows longer than what is read at once, and whole pieces that follow each other") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 12 << 20), other = Source(folder, "other", 300001);
  Random random(3);
  using Keep = std::vector<uint32_t>;
  const WriteFile file{folder / "out",
                       Bytes("h"),
                       {{source, 1, 2000, 3000, 2, random.Indices(2000, 0.02), {}},
                        {source, 7, 2000, 3000, 2, random.Indices(2000, 0.02), random.Indices(3000, 0.5)},
                        {source, 0, 7, 100001, 4, Keep{0, 2, 3, 6}, {}},
                        {source, 0, 7, 100001, 4, Keep{1, 2, 6}, random.Indices(100001, 0.7)},
                        {source, 0, 7, 100001, 4, {}, Keep{0, 100000}},
                        {source, 100, 1, 3000000, 1, {}, {}},
                        {source, 3000100, 1, 5, 1, {}, {}},
                        {source, 3000105, 1, 0, 1, {}, {}},
                        {source, 3000105, 1, 5000000, 1, {}, {}},
                        {other, 8000105 % 300001, 1, 100, 1, {}, {}},
                        {other, 0, 1, 300001, 1, {}, {}},
                        {source, 300001, 1, 9, 1, {}, {}},
                        {source, 300010, 3, 3, 1, Keep{0, 1}, {}},
                        {source, 6, 1, 9, 1, {}, {}}}};
  std::string expected = "h";
  for (const WritePiece& piece : file.pieces) expected += Naive(piece);
  Job job;
  EXPECT(WriteFiles(job, {file}) == static_cast<int64_t>(expected.size()));
  EXPECT(ReadAll(file.path) == expected);
}

// Largest resident memory since the last call, in bytes; 0 where the system does not tell.
int64_t PeakBytes() {
  std::ifstream status("/proc/self/status");
  int64_t bytes = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) bytes = std::atoll(line.c_str() + 6) * 1024;
  }
  std::ofstream("/proc/self/clear_refs") << 5;
  return bytes;
}

TEST("memory does not grow with the sizes of the files") {
  const TemporaryFolder folder;
  const int64_t rows = 8000, columns = 4000;  // of 2 bytes: 64 MB
  std::ofstream(folder / "source").close();
  std::filesystem::resize_file(folder / "source", rows * columns * 2);
  const auto source = MappedFile::Open(folder / "source");
  Random random(4);
  const WriteFile file{folder / "out",
                       Bytes("h"),
                       {{source, 0, 1, rows * columns * 2, 1, {}, {}},
                        {source, 0, rows, columns, 2, random.Indices(rows, 0.5), {}},
                        {source, 0, rows, columns, 2, {}, random.Indices(columns, 0.5)},
                        {source, 0, rows, columns, 2, random.Indices(rows, 0.5), random.Indices(columns, 0.5)}}};
  PeakBytes();
  const int64_t before = PeakBytes();
  if (before == 0) return testing::Skip("how much memory the writer needs, which this system does not tell");
  Job job;
  WriteFiles(job, {file});
  const int64_t grown = PeakBytes() - before;
  EXPECT(grown < 8 << 20, grown);
}

TEST("what was written to the mapping does not get into the output") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 1000);
  const std::string expected = ReadAll(folder / "source");
  std::memset(source->Writable(), 0, 1000);
  Job job;
  WriteFiles(job, {{folder / "out", {}, {{source, 0, 1, 1000, 1, {}, {}}}}});
  EXPECT(ReadAll(folder / "out") == expected);
}

TEST("a source that became shorter is an error with its path") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 1000);
  std::filesystem::resize_file(folder / "source", 500);
  for (const bool sliced : {false, true}) {
    std::optional<std::vector<uint32_t>> keep;
    if (sliced) keep = {0, 9};
    Job job;
    std::string code, file;
    try {
      WriteFiles(job, {{folder / (sliced ? "a" : "b"), {}, {{source, 0, 10, 100, 1, keep, {}}}}});
    } catch (const Error& error) {
      code = error.code, file = error.file;
    }
    EXPECT(code == "ERR_READ" && file == folder / "source", code, " ", file);
  }
}

TEST("pieces without rows, columns or bytes add nothing") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 64), empty = Source(folder, "empty", 0);
  using Keep = std::vector<uint32_t>;
  const WriteFile file{folder / "out",
                       Bytes("h"),
                       {{source, 0, 4, 4, 4, Keep{}, {}},
                        {source, 0, 4, 4, 4, {}, Keep{}},
                        {source, 0, 4, 4, 4, Keep{}, Keep{}},
                        {source, 64, 0, 9, 4, {}, {}},
                        {source, 64, 0, 9, 4, Keep{}, Keep{1, 2}},
                        {empty, 0, 0, 0, 4, {}, {}},
                        {empty, 0, 3, 0, 4, Keep{1}, {}}}};
  Job job;
  EXPECT(WriteFiles(job, {file}) == 1);
  EXPECT(ReadAll(file.path) == "h");
  EXPECT(WriteFiles(job, {}) == 0);
}

TEST("an existing file is refused with EEXIST and left as it is") {
  const TemporaryFolder folder;
  std::ofstream(folder / "out") << "precious";
  Job job;
  try {
    WriteFiles(job, {{folder / "out", Bytes("new"), {}}});
    EXPECT(false, "no error");
  } catch (const Error& error) {
    EXPECT(error.code == "EEXIST" && error.file == folder / "out", error.code, " ", error.file);
  }
  EXPECT(ReadAll(folder / "out") == "precious");
}

TEST("a missing folder is refused with ENOENT") {
  const TemporaryFolder folder;
  Job job;
  EXPECT(testing::CodeOf([&] { WriteFiles(job, {{folder / "none/out", Bytes("new"), {}}}); }) == "ENOENT");
}

TEST("a disk that takes no more is an error with its reason and the path") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 3 << 20);
  struct rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit{1 << 20, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  Job job;
  std::string code, file;
  try {
    WriteFiles(job, {{folder / "out", Bytes("header"), {{source, 0, 1, 3 << 20, 1, {}, {}}}}});
  } catch (const Error& error) {
    code = error.code, file = error.file;
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT(code == "EFBIG", code);
  EXPECT(file == folder / "out", file);
  EXPECT(std::filesystem::file_size(folder / "out") == 1 << 20, "what fitted was written");
}

TEST("a cancelled job stops writing") {
  const TemporaryFolder folder;
  const auto source = Source(folder, "source", 20 << 20);
  for (const bool sliced : {false, true}) {
    std::optional<std::vector<uint32_t>> keep;
    if (sliced) keep = {0, 1};
    const WriteFile files[] = {{folder / (sliced ? "a" : "b"), Bytes("h"), {{source, 0, 2, 10 << 20, 1, keep, {}}}}, {folder / "never", {}, {}}};
    Job* running = nullptr;
    int64_t written = 0;
    Job job([&](int64_t done, int64_t) {
      written = done;
      running->Cancel();
    });
    running = &job;
    EXPECT(testing::CodeOf([&] { WriteFiles(job, {files[0], files[1]}); }) == "ERR_ABORTED");
    EXPECT(written == 1, "wrote ", written, " bytes after the header");
    EXPECT(!std::filesystem::exists(folder / "never"));
  }
}

}  // namespace
}  // namespace flab
