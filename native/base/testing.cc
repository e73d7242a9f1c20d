// Runs every test, or those whose title contains one of the arguments; not those that contain an argument after a "-". With --list as
// the first argument it only prints their titles.
// The exit status is 1 after a failure, and 77 where the instruction set that FLAB_CPU names is not available here.

#include "base/testing.h"

#include <chrono>
#include <cstdio>
#include <exception>

#include "cpu/kernels.h"

namespace flab::testing {
namespace {

constexpr int kShownFailures = 5;  // of one test; a broken kernel fails thousands of times in the same way
constexpr int kUnavailable = 77;

struct Test {
  const char* title;
  void (*run)();
};

// Filled before main() by the tests' registrations.
std::vector<Test>& Tests() {
  static std::vector<Test> tests;
  return tests;
}

int failures = 0;  // of the running test
bool skipped = false;

bool Passes(const Test& test) {
  failures = 0;
  skipped = false;
  try {
    test.run();
  } catch (const Ended&) {
  } catch (const Error& error) {
    Fail("", 0, "no exception", error.code + " " + error.file + " " + error.what());
  } catch (const std::exception& error) {
    Fail("", 0, "no exception", error.what());
  }
  return failures == 0;
}

}  // namespace

Registration::Registration(const char* title, void (*run)()) { Tests().push_back({title, run}); }

void Fail(const char* file, int line, const char* what, const std::string& message) {
  if (++failures <= kShownFailures) std::printf("  %s:%d: expected %s; %s\n", file, line, what, message.c_str());
}

void Skip(const std::string& reason) {
  skipped = true;
  std::printf("skipped: %s\n", reason.c_str());
}

static bool IsWanted(const std::string& title, const std::vector<std::string>& words) {
  bool wanted = true, named = false;
  for (const std::string& word : words) {
    if (word.starts_with('-')) {
      if (title.find(word.substr(1)) != std::string::npos) return false;
    } else {
      wanted = false;
      named |= title.find(word) != std::string::npos;
    }
  }
  return wanted || named;
}

static int List(const std::vector<std::string>& words) {
  for (const Test& test : Tests()) {
    if (IsWanted(test.title, words)) std::printf("%s\n", test.title);
  }
  return 0;
}

static int RunAll(const std::vector<std::string>& words) {
  using Clock = std::chrono::steady_clock;
  int passed = 0, failed = 0;
  for (const Test& test : Tests()) {
    if (!IsWanted(test.title, words)) continue;
    const auto start = Clock::now();
    const bool passes = Passes(test);
    const auto duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
    if (!passes) std::printf("FAILED: %s (%d failures)\n", test.title, failures);
    if (duration_ms > 1000) std::printf("slow: %s (%ld ms)\n", test.title, static_cast<long>(duration_ms));
    if (passes && !skipped) ++passed;
    if (!passes) ++failed;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0;
}

}  // namespace flab::testing

int main(int count, char** arguments) {
  if (count > 1 && std::string(arguments[1]) == "--list") return flab::testing::List({arguments + 2, arguments + count});
  try {
    std::printf("%s\n", flab::ActiveKernels().name);
  } catch (const flab::Error& error) {
    std::printf("skipped: %s\n", error.what());
    return flab::testing::kUnavailable;
  }
  return flab::testing::RunAll({arguments + 1, arguments + count});
}
