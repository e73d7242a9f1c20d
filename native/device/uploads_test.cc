#include "device/uploads.h"

#include <algorithm>
#include <cstring>

#include "base/testing.h"
#include "device/sequence.h"

namespace flab {
namespace {

// Uploads of so many items each, of item_bytes.
Uploads Of(const std::vector<int64_t>& counts, int64_t item_bytes) {
  std::vector<Upload> all;
  for (const int64_t count : counts) all.push_back({count, item_bytes, nullptr, {}});
  return Uploads(std::move(all));
}

std::string PiecesOf(Uploads uploads, int64_t bytes) {
  std::string words;
  while (!uploads.done()) {
    for (const auto& [upload, first, count, offset] : uploads.Take(bytes)) words += testing::Join(first, "+", count, "@", offset, " ");
    words += "| ";
  }
  return words;
}

TEST("uploads: a piece has as many items as fit, and small ones share it, each at a multiple of 64 bytes") {
  EXPECT(PiecesOf(Of({5, 10, 1}, 4), 256) == "0+5@0 0+10@64 0+1@128 | ");
  EXPECT(PiecesOf(Of({10}, 100), 256) == "0+2@0 | 2+2@0 | 4+2@0 | 6+2@0 | 8+2@0 | ");
  EXPECT(PiecesOf(Of({3, 1, 2}, 100), 256) == "0+2@0 | 2+1@0 0+1@128 | 0+2@0 | ", PiecesOf(Of({3, 1, 2}, 100), 256));
  // What ends where the piece ends, and what has no items.
  EXPECT(PiecesOf(Of({64, 0, 1}, 4), 256) == "0+64@0 | 0+1@0 | ", PiecesOf(Of({64, 0, 1}, 4), 256));
  EXPECT(PiecesOf(Of({}, 4), 256).empty());
}

TEST("uploads: an item that fits into no piece is refused with both sizes") {
  std::string message;
  try {
    Of({1}, 257).Take(256);
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT(message == "uploading: expected rows of at most 256 bytes, got 257", message);
}

TEST("uploads: of a tensor come its elements, of chosen rows those rows, in the dtype that was asked for") {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor tensor{reinterpret_cast<const std::byte*>(values.data()), Dtype::kF32, 3, 2, nullptr, "values"};
  const std::vector<uint32_t> rows{2, 0};
  const auto floats = [](const Upload& upload, int64_t first, int64_t count) {
    std::vector<float> out(count * upload.item_bytes / 4);
    upload.fill(first, count, reinterpret_cast<std::byte*>(out.data()));
    return out;
  };
  EXPECT((floats(WholeUpload(tensor, Compute::kF32, nullptr), 1, 4) == std::vector<float>{2, 3, 4, 5}));
  EXPECT((floats(RowsUpload(tensor, rows, Compute::kF32, nullptr), 0, 2) == std::vector<float>{5, 6, 1, 2}));
  EXPECT((floats(StoredRowsUpload(tensor, rows, nullptr), 1, 1) == std::vector<float>{1, 2}));
  std::vector<uint16_t> halves(2);
  RowsUpload(tensor, rows, Compute::kBF16, nullptr).fill(0, 1, reinterpret_cast<std::byte*>(halves.data()));
  EXPECT((halves == std::vector<uint16_t>{0x40a0, 0x40c0}));
  std::vector<std::byte> bytes(3, std::byte{7});
  ZerosUpload(3, nullptr).fill(0, 3, bytes.data());
  EXPECT((bytes == std::vector<std::byte>(3)));
}

TEST("a sequence guesses what came next the last time, and begins with one after the other") {
  Sequence sequence(4);
  std::string guesses;
  for (const int64_t part : {0, 1, 1, 3, 0, 1, 3, 0}) {
    sequence.Follow(part);
    guesses += testing::Join(sequence.next());
  }
  EXPECT(guesses == "12201301", guesses);
}

}  // namespace
}  // namespace flab
