#include "model/model.h"

#include "base/testing.h"

namespace flab {
namespace {

// Lengths of the texts of each chunk.
std::vector<std::vector<int64_t>> ChunkLengths(const std::vector<int32_t>& lengths, int64_t max_tokens) {
  std::vector<int32_t> offsets = {0};
  for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
  const std::vector<int32_t> ids(offsets.back());
  std::vector<std::vector<int64_t>> chunks;
  int32_t next = 0;
  for (const Texts& chunk : Chunks({ids, offsets}, max_tokens)) {
    EXPECT(chunk.offsets.front() == next, "a chunk starts where the one before it ended");
    EXPECT(chunk.ids.data() == ids.data(), "ids are those of all texts");
    next = chunk.offsets.back();
    chunks.emplace_back();
    for (int64_t i = 0; i < chunk.count(); ++i) chunks.back().push_back(chunk.length(i));
  }
  EXPECT(next == offsets.back(), "no text is left over");
  return chunks;
}

TEST("chunks hold as many whole texts as fit, in order") {
  using Lengths = std::vector<std::vector<int64_t>>;
  EXPECT(ChunkLengths({3, 4, 3, 10, 1, 1}, 10) == (Lengths{{3, 4, 3}, {10}, {1, 1}}));
  EXPECT(ChunkLengths({3, 4, 4}, 10) == (Lengths{{3, 4}, {4}}));
  EXPECT(ChunkLengths({1, 1, 1}, 1) == (Lengths{{1}, {1}, {1}}));
  EXPECT(ChunkLengths({5, 5}, 1000) == (Lengths{{5, 5}}));
}

TEST("a text longer than a chunk is a chunk of its own") {
  using Lengths = std::vector<std::vector<int64_t>>;
  EXPECT(ChunkLengths({2, 50, 2, 2}, 10) == (Lengths{{2}, {50}, {2, 2}}));
  EXPECT(ChunkLengths({50}, 1) == (Lengths{{50}}));
}

TEST("no texts make no chunks") { EXPECT(ChunkLengths({}, 10).empty()); }

TEST("random texts are never split, and no chunk could have taken one more") {
  testing::Random random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> lengths(random.Below(30));
    for (int32_t& length : lengths) length = static_cast<int32_t>(1 + random.Below(20));
    const int64_t limit = 1 + random.Below(40);
    const auto chunks = ChunkLengths(lengths, limit);
    for (size_t i = 0; i < chunks.size(); ++i) {
      int64_t tokens = 0;
      for (const int64_t length : chunks[i]) tokens += length;
      EXPECT(tokens <= limit || chunks[i].size() == 1);
      if (i + 1 < chunks.size()) EXPECT(tokens + chunks[i + 1][0] > limit);
    }
  }
}

}  // namespace
}  // namespace flab
