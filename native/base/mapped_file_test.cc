#include "base/mapped_file.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/testing.h"

namespace flab {
namespace {

// A file with this text, removed at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "flab-mapped-XXXXXX").string();
    const int file = mkstemp(pattern.data());
    path = pattern;
    std::ofstream(path, std::ios::binary) << text;
    if (file >= 0) std::fclose(fdopen(file, "r"));
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

TEST("a mapped file holds the bytes of the file") {
  std::string text = "checkpoint";
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 31);
  const TemporaryFile file(text);
  const auto mapped = MappedFile::Open(file.path);
  CHECK(mapped->bytes() == static_cast<int64_t>(text.size()));
  EXPECT(std::memcmp(mapped->data(), text.data(), text.size()) == 0);
  EXPECT(mapped->path() == file.path);
}

TEST("writing into a mapping reaches neither the file nor another mapping") {
  const TemporaryFile file("original");
  const auto first = MappedFile::Open(file.path), second = MappedFile::Open(file.path);
  std::memset(first->Writable(), 'x', 8);
  EXPECT(std::memcmp(second->data(), "original", 8) == 0);
  std::ifstream stream(file.path);
  std::string text;
  stream >> text;
  EXPECT(text == "original", text);
}

TEST("discarded pages have the file's content again, those that are only begun keep what was written") {
  const int64_t page = sysconf(_SC_PAGESIZE);
  const TemporaryFile file(std::string(4 * page + 100, 'o'));
  const auto mapped = MappedFile::Open(file.path);
  std::byte* bytes = mapped->Writable();
  std::memset(bytes, 'x', mapped->bytes());
  const auto at = [&](int64_t place) { return static_cast<char>(mapped->data()[place]); };
  mapped->Discard(page / 2, 2 * page + 1);
  EXPECT(at(page - 1) == 'x' && at(page) == 'o' && at(2 * page - 1) == 'o' && at(2 * page) == 'x');
  mapped->Discard(5, 6);
  mapped->Discard(3 * page, mapped->bytes());
  EXPECT(at(2 * page) == 'x' && at(3 * page) == 'o' && at(mapped->bytes() - 1) == 'o');
}

TEST("reading past the mapping gives the file's bytes, whatever was written to the mapping") {
  const TemporaryFile file("original");
  const auto mapped = MappedFile::Open(file.path);
  std::memset(mapped->Writable(), 'x', 8);
  std::byte out[4] = {};
  mapped->Read(2, 3, out);
  EXPECT(std::memcmp(out, "igi\0", 4) == 0);
  mapped->Read(8, 0, out);
  EXPECT(testing::CodeOf([&] { mapped->Read(6, 3, out); }) == "ERR_READ");
}

TEST("a mapping outlives the file's name") {
  auto file = std::make_unique<TemporaryFile>("original");
  const auto mapped = MappedFile::Open(file->path);
  file.reset();
  EXPECT(std::memcmp(mapped->data(), "original", 8) == 0);
}

TEST("an empty file maps to no bytes") {
  const TemporaryFile file("");
  EXPECT(MappedFile::Open(file.path)->bytes() == 0);
}

TEST("a missing file is refused with ENOENT and its path") {
  const TemporaryFile file("");
  const std::string missing = file.path + "/../flab-no-such-file";
  const std::string absent = file.path + "-absent";
  EXPECT(testing::CodeOf([&] { MappedFile::Open(missing); }) == "ENOTDIR");
  try {
    MappedFile::Open(absent);
    EXPECT(false, "no error");
  } catch (const Error& error) {
    EXPECT(error.code == "ENOENT", error.code);
    EXPECT(error.file == absent, error.file);
  }
}

TEST("a directory is refused") {
  EXPECT(!testing::CodeOf([] { MappedFile::Open(std::filesystem::temp_directory_path().string()); }).empty());
}

TEST("a buffer is aligned to cache lines, grows, moves, and may be empty") {
  for (const int64_t size : {1, 15, 16, 17, 1000}) {
    Buffer<float> buffer(size);
    EXPECT(reinterpret_cast<uintptr_t>(buffer.data()) % 64 == 0);
    EXPECT(buffer.size() == size);
    buffer[size - 1] = 3;
    const float* data = buffer.data();
    Buffer<float> moved = std::move(buffer);
    EXPECT(moved.data() == data && moved[size - 1] == 3);
    EXPECT(moved.Reserve(size) == data, "room enough already");
    moved.Reserve(size + 1)[size] = 4;
    EXPECT(moved.size() == size + 1);
  }
  EXPECT(Buffer<float>(0).data() == nullptr);
}

TEST("a buffer that no memory holds is refused with ERR_MEMORY") {
  EXPECT(testing::CodeOf([] { Buffer<std::byte> buffer(int64_t{1} << 60); }) == "ERR_MEMORY");
}

TEST("small parts that were read and released leave nothing around them") {
  const TemporaryFile file("");
  // In small pieces: a file that is written at once may be cached, and mapped, in pages of 2 MiB.
  std::ofstream stream(file.path, std::ios::binary);
  for (int64_t i = 0; i < 16 << 10; ++i) stream << std::string(4096, 'x') << std::flush;
  // The file ends within 64 KiB.
  stream << std::string(5000, 'x') << std::flush;
  const auto mapped = MappedFile::Open(file.path);
  const int64_t before = ResidentBytes();
  int64_t sum = 0;
  for (int64_t i = 0; i < mapped->bytes(); i += 40 << 10) {
    sum += static_cast<int64_t>(mapped->data()[i]);
    mapped->Release(mapped->data() + i, 1);
  }
  EXPECT(sum > 0 && ResidentBytes() - before < 8 << 20, ResidentBytes() - before);
}

TEST("a file that was read and released no longer counts as resident") {
  const TemporaryFile file("");
  constexpr int64_t kBytes = 64 << 20;
  std::filesystem::resize_file(file.path, kBytes);
  const auto mapped = MappedFile::Open(file.path);
  const int64_t before = ResidentBytes();
  int64_t sum = 0;
  for (int64_t i = 0; i < kBytes; i += 4096) sum += static_cast<int64_t>(mapped->data()[i]);
  const int64_t read = ResidentBytes();
  mapped->Release(mapped->data(), kBytes);
  EXPECT(sum == 0 && read - before > kBytes / 2 && ResidentBytes() - before < kBytes / 4, before, ", ", read, ", ", ResidentBytes());
}

TEST("released bytes come back from the file, written ones are never released") {
  std::string text;
  for (int i = 0; i < 300000; ++i) text += static_cast<char>(i * 31 % 127);
  const TemporaryFile file(text);
  const auto mapped = MappedFile::Open(file.path);
  EXPECT(std::memcmp(mapped->data(), text.data(), text.size()) == 0);
  mapped->Release(mapped->data() + 5000, 200000);
  mapped->Release(mapped->data() + mapped->bytes() - 3, 3);
  mapped->Release(mapped->data(), 0);
  EXPECT(std::memcmp(mapped->data(), text.data(), text.size()) == 0, "after a release");

  mapped->Writable()[9000] = std::byte{1};
  mapped->Release(mapped->data(), mapped->bytes());
  EXPECT(mapped->data()[9000] == std::byte{1}, "a written byte was lost");
}

}  // namespace
}  // namespace flab
