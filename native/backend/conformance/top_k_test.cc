#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

using testing::Random;

std::vector<uint32_t> TopK(const std::vector<double>& scores, int64_t rows, int64_t count) {
  const Memory memory = ToDevice(scores), out(rows * count * 4);
  Expect(Backend().top_k(Device(), memory.as<double>(), rows, static_cast<int64_t>(scores.size()) / rows, count, out.as<uint32_t>()), "top_k");
  return FromDevice<uint32_t>(out.data(), rows * count);
}

// Of each row: whoever has fewer than `count` others before it.
std::vector<uint32_t> Reference(const std::vector<double>& scores, int64_t rows, int64_t count) {
  const int64_t columns = static_cast<int64_t>(scores.size()) / rows;
  std::vector<uint32_t> out;
  for (int64_t row = 0; row < rows; ++row) {
    const double* own = &scores[row * columns];
    for (int64_t i = 0; i < columns; ++i) {
      int64_t before = 0;
      for (int64_t j = 0; j < columns; ++j) before += own[j] > own[i] || (own[j] == own[i] && j < i);
      if (before < count) out.push_back(static_cast<uint32_t>(i));
    }
  }
  return out;
}

TEST("backend: top_k chooses the largest of each row, and names them by rising index") {
  Random random(1);
  for (const int64_t rows : {1, 3, 300}) {
    for (const int64_t columns : {1, 2, 31, 200}) {
      std::vector<double> scores;
      for (int64_t i = 0; i < rows * columns; ++i) scores.push_back(random.Normal() * std::pow(10, random.Below(40) - 20));
      for (const int64_t count : {int64_t{0}, int64_t{1}, columns / 2, columns - 1, columns}) {
        EXPECT(TopK(scores, rows, count) == Reference(scores, rows, count), rows, " rows, ", count, " of ", columns);
      }
    }
  }
}

TEST("backend: of equal scores top_k takes the lower index; zeros of both signs are equal") {
  Random random(2);
  const double kinds[] = {0., -0., 1., -1., INFINITY, -INFINITY, 5e-324};
  std::vector<double> scores;
  for (int i = 0; i < 4 * 150; ++i) scores.push_back(kinds[random.Below(7)]);
  for (int64_t count = 0; count <= 150; count += 10) EXPECT(TopK(scores, 4, count) == Reference(scores, 4, count), count);
  EXPECT(TopK({-0., 0., -0., 0.}, 1, 2) == (std::vector<uint32_t>{0, 1}));
}

TEST("backend: top_k of more scores than are sorted at once goes on with the rows that are left") {
  Random random(3);
  constexpr int64_t kRows = 1500, kColumns = 1001;
  std::vector<double> scores(kRows * kColumns, 0.);
  std::vector<uint32_t> expected;
  for (int64_t row = 0; row < kRows; ++row) {
    expected.push_back(static_cast<uint32_t>(random.Below(kColumns)));
    scores[row * kColumns + expected.back()] = 1;
  }
  EXPECT(TopK(scores, kRows, 1) == expected);
}

TEST("backend: top_k gives back the memory that it takes") {
  const auto available = [] {
    int64_t bytes = 0;
    Expect(Backend().synchronize(Device(), FLAB_COMPUTE), "synchronize");
    Expect(Backend().available(Device(), &bytes), "available");
    return bytes;
  };
  // 24 bytes of scratch a score at least. The first call loads kernels, and others may use the device at the same time.
  constexpr int64_t kScores = 1 << 14, kCalls = 60, kSlack = 8 << 20;
  static_assert(24 * kScores * kCalls > 2 * kSlack);
  const Memory scores = ToDevice(std::vector<double>(kScores, 1.)), out(40);
  const auto choose = [&] { Expect(Backend().top_k(Device(), scores.as<double>(), 1, kScores, 10, out.as<uint32_t>()), "top_k"); };
  choose();
  const int64_t before = available();
  for (int64_t i = 0; i < kCalls; ++i) choose();
  EXPECT(available() >= before - kSlack, available(), ", before ", before);
}

TEST("backend: top_k has no answer to more than there are, and no need of memory for nothing") {
  const Memory memory(64);
  EXPECT(Backend().top_k(Device(), memory.as<double>(), 1, 2, 3, memory.as<uint32_t>()) == FLAB_BAD_CALL);
  Expect(Backend().top_k(Device(), memory.as<double>(), 0, 2, 1, memory.as<uint32_t>()), "top_k of no rows");
  Expect(Backend().top_k(Device(), memory.as<double>(), 2, 0, 0, memory.as<uint32_t>()), "top_k of no columns");
}

}  // namespace
}  // namespace flab::conformance
