#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"

// The core's tests. A test is a sentence that can be false:
//
//   TEST("slices of no rows are empty") { EXPECT(SliceNothing().empty()); }
//
// EXPECT(condition, parts of a message...) records a failure and goes on; CHECK ends the test. The parts are only
// looked at after a failure.

namespace flab::testing {

struct Registration {
  Registration(const char* title, void (*run)());
};

// Thrown by CHECK.
struct Ended {};

void Fail(const char* file, int line, const char* what, const std::string& message);

// Marks the running test as skipped where it could not check anything.
void Skip(const std::string& reason);

template <typename... Parts>
std::string Join(const Parts&... parts) {
  std::ostringstream text;
  text.precision(17);
  ((text << parts), ...);
  return text.str();
}

// |got - expected| <= tolerance; NaN only where NaN is expected, infinity only where the same is.
inline bool Near(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  return got == expected || std::fabs(got - expected) <= tolerance;
}

// The code of the core error that `call` throws; empty if it throws none.
template <typename Call>
std::string CodeOf(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code;
  }
  return {};
}

// Numbers that are the same on every machine and in every run.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t Bits() { return engine_(); }
  int64_t Below(int64_t limit) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(limit)); }
  // Uniform in [-1, 1), about 1e-9 apart.
  double Signed() { return static_cast<double>(engine_()) / 2147483648.0 - 1; }
  // Mean 0, standard deviation 1, within 6: a sum of uniform numbers.
  double Normal() {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += Signed();
    return sum / 2;
  }
  std::vector<float> Normals(int64_t count, double scale = 1) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(Normal() * scale);
    return values;
  }
  // Ascending indices below `limit`, each with probability `share`.
  std::vector<uint32_t> Indices(int64_t limit, double share) {
    std::vector<uint32_t> indices;
    for (int64_t i = 0; i < limit; ++i) {
      if (Signed() < 2 * share - 1) indices.push_back(static_cast<uint32_t>(i));
    }
    return indices;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace flab::testing

#define FLAB_TEST_PASTE(a, b) a##b
#define FLAB_TEST_NAME(prefix, line) FLAB_TEST_PASTE(prefix, line)
#define TEST(title)                                                                                                 \
  static void FLAB_TEST_NAME(Test, __LINE__)();                                                                     \
  static const ::flab::testing::Registration FLAB_TEST_NAME(registration, __LINE__)(title, FLAB_TEST_NAME(Test, __LINE__)); \
  static void FLAB_TEST_NAME(Test, __LINE__)()

#define EXPECT(condition, ...)                                                                                       \
  do {                                                                                                               \
    if (!(condition)) ::flab::testing::Fail(__FILE__, __LINE__, #condition, ::flab::testing::Join(__VA_ARGS__));     \
  } while (false)

#define CHECK(condition, ...)                                                                                        \
  do {                                                                                                               \
    if (!(condition)) {                                                                                              \
      ::flab::testing::Fail(__FILE__, __LINE__, #condition, ::flab::testing::Join(__VA_ARGS__));                     \
      throw ::flab::testing::Ended();                                                                                \
    }                                                                                                                \
  } while (false)
