#include "base/thread_pool.h"

#include <chrono>
#include <cstdlib>
#include <set>

#include "base/job.h"
#include "base/testing.h"

namespace flab {
namespace {

// Every index of a loop, counted.
std::vector<int> Counted(int64_t count) {
  std::vector<std::atomic<int>> calls(count);
  ThreadPool::Process().Run(count, [&](int64_t i) { ++calls[i]; });
  return {calls.begin(), calls.end()};
}

bool EachOnce(const std::vector<int>& calls) {
  for (const int count : calls) {
    if (count != 1) return false;
  }
  return true;
}

TEST("a loop calls every index once, whatever its length") {
  for (const int64_t count : {0, 1, 2, 3, 7, 64, 1000, 100003}) EXPECT(EachOnce(Counted(count)), count, " indices");
}

TEST("many short loops in a row lose no index") {
  for (int i = 0; i < 3000; ++i) EXPECT(EachOnce(Counted(i % 5)), "loop ", i);
}

TEST("loops of several callers at the same time lose no index") {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 5; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 200; ++i) wrong += !EachOnce(Counted(1 + (i * 7 + caller) % 50));
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT(wrong == 0, wrong.load(), " loops were wrong");
}

TEST("a loop inside a loop inside a loop ends, and none loses an index") {
  std::atomic<int> calls{0};
  auto& pool = ThreadPool::Process();
  pool.Run(7, [&](int64_t) { pool.Run(11, [&](int64_t) { pool.Run(13, [&](int64_t) { ++calls; }); }); });
  EXPECT(calls == 7 * 11 * 13, calls.load());
}

TEST("an exception reaches the caller, stops the loop early and leaves the pool usable") {
  for (const int64_t bad : {0, 1, 500}) {
    std::atomic<int64_t> calls{0};
    std::string message;
    try {
      ThreadPool::Process().Run(1000000, [&](int64_t i) {
        ++calls;
        if (i == bad) throw Error("ERR_BAD_DATA", "index " + std::to_string(i));
      });
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT(message == "index " + std::to_string(bad), message);
    EXPECT(calls < 1000000, "all indices were called");
    EXPECT(EachOnce(Counted(100)));
  }
}

TEST("when every index throws, one exception arrives") {
  for (int round = 0; round < 200; ++round) {
    EXPECT(testing::CodeOf([] { ThreadPool::Process().Run(8, [](int64_t) { throw Error("ERR_BAD_DATA", ""); }); }) == "ERR_BAD_DATA");
  }
}

TEST("an exception in one caller's loop does not reach another caller") {
  std::atomic<int> wrong{0};
  std::thread thrower([&] {
    for (int i = 0; i < 200; ++i) {
      wrong += testing::CodeOf([] { ThreadPool::Process().Run(20, [](int64_t j) { if (j == 7) throw Error("ERR_BAD_DATA", ""); }); }) != "ERR_BAD_DATA";
    }
  });
  for (int i = 0; i < 200; ++i) wrong += !EachOnce(Counted(20));
  thrower.join();
  EXPECT(wrong == 0, wrong.load());
}

TEST("a limit of one thread keeps a loop on the thread of its caller") {
  auto& pool = ThreadPool::Process();
  pool.Limit(1);
  EXPECT(pool.threads() == 1);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  pool.Run(1000, [&](int64_t) {
    std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT(threads == std::set{std::this_thread::get_id()});
  pool.Limit(1 << 20);
  EXPECT(pool.threads() == AllowedThreads(), "a limit above all threads");
  pool.Limit(0);
  EXPECT(pool.threads() == AllowedThreads(), "no limit");
}

TEST("a limit holds for the loops of the thread that set it, and for no other") {
  auto& pool = ThreadPool::Process();
  const auto threads_of_loop = [&] {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    // A loop within the loop keeps to the limit too, on whichever thread it is started.
    pool.Run(50, [&](int64_t) {
      pool.Run(50, [&](int64_t) {
        std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      });
    });
    return threads.size();
  };
  std::atomic<int> wrong{0};
  std::thread limited([&] {
    ThreadPool::Limit(1);
    for (int i = 0; i < 50; ++i) wrong += threads_of_loop() != 1;
  });
  for (int i = 0; i < 50; ++i) {
    wrong += pool.threads() != AllowedThreads();
    threads_of_loop();
  }
  limited.join();
  EXPECT(wrong == 0, wrong.load());
}

TEST("however many callers there are, no more threads compute at a time than are allowed") {
  std::atomic<int> inside{0}, most{0}, calls{0};
  const auto index = [&](int64_t) {
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    for (volatile int spin = 0; spin < 2000;) spin = spin + 1;
    ++calls;
    --inside;
  };
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 24; ++caller) {
    callers.emplace_back([&, caller] {
      ThreadPool::Limit(caller % 4);
      for (int i = 0; i < 20; ++i) ThreadPool::Process().Run(caller % 3 == 0 ? 1 : 30, index);
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT(calls == 20 * (8 * 1 + 16 * 30), calls.load());
  EXPECT(most <= AllowedThreads(), most.load(), " at a time");
}

TEST("a short loop does not wait for the end of a long one") {
  std::atomic<bool> began{false}, stop{false};
  // The long loop ends early once the short one is done; all its indices mean that it was not let in.
  std::atomic<int64_t> calls{0};
  constexpr int64_t kCalls = 1 << 22;
  std::thread long_caller([&] {
    ThreadPool::Process().Run(kCalls, [&](int64_t) {
      began = true;
      if (stop) return;
      for (volatile int spin = 0; spin < 2000;) spin = spin + 1;
      ++calls;
    });
  });
  while (!began) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) EXPECT(EachOnce(Counted(100)));
  stop = true;
  long_caller.join();
  EXPECT(calls < kCalls, "the long loop was done first");
}

TEST("loops in loops of many callers at a time end") {
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 12; ++caller) {
    callers.emplace_back([&, caller] {
      auto& pool = ThreadPool::Process();
      ThreadPool::Limit(caller % 3);
      for (int i = 0; i < 30; ++i) pool.Run(7, [&](int64_t) { pool.Run(11, [&](int64_t) { ++calls; }); });
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT(calls == 12 * 30 * 77, calls.load());
}

TEST("two threads really work on one loop, where there are two") {
  if (AllowedThreads() < 2) return testing::Skip("one thread allowed: no second one to watch");
  std::mutex mutex;
  std::condition_variable met;
  int inside = 0;
  bool together = false;
  ThreadPool::Process().Run(2, [&](int64_t) {
    std::unique_lock lock(mutex);
    ++inside;
    met.notify_all();
    if (met.wait_for(lock, std::chrono::seconds(20), [&] { return inside == 2; })) together = true;
  });
  EXPECT(together);
}

TEST("FLAB_THREADS lowers the number of threads, never raises it, and is refused where it is no number of threads") {
  const char* before = std::getenv("FLAB_THREADS");
  const std::string kept = before ? before : "";
  unsetenv("FLAB_THREADS");
  const int all = AllowedThreads();
  EXPECT(all >= 1);
  setenv("FLAB_THREADS", "1", 1);
  EXPECT(AllowedThreads() == 1);
  for (const char* many : {"100000", "99999999999999999999", "0100000", ""}) {
    setenv("FLAB_THREADS", many, 1);
    EXPECT(AllowedThreads() == all, "FLAB_THREADS=", many);
  }
  for (const char* nonsense : {"0", "00", "-3", "+1", "1.5", "1e3", "0x2", " 1", "1 ", "many"}) {
    setenv("FLAB_THREADS", nonsense, 1);
    EXPECT(testing::CodeOf([] { AllowedThreads(); }) == "ERR_BAD_ARGUMENT", "FLAB_THREADS=", nonsense);
  }
  unsetenv("FLAB_THREADS");
  if (before) setenv("FLAB_THREADS", kept.c_str(), 1);
}

TEST("a cancelled job starts no loop") {
  Job job;
  job.Cancel();
  int calls = 0;
  EXPECT(testing::CodeOf([&] { job.Parallel(10, [&](int64_t) { ++calls; }); }) == "ERR_ABORTED");
  EXPECT(testing::CodeOf([&] { job.Parallel(0, [&](int64_t) { ++calls; }); }) == "ERR_ABORTED", "an empty loop");
  EXPECT(testing::CodeOf([&] { job.CheckCancelled(); }) == "ERR_ABORTED");
  EXPECT(calls == 0);
}

TEST("a job cancelled inside a loop calls hardly any further index") {
  Job job;
  std::atomic<int64_t> calls{0};
  EXPECT(testing::CodeOf([&] {
           job.Parallel(1000000, [&](int64_t) {
             ++calls;
             job.Cancel();
           });
         }) == "ERR_ABORTED");
  EXPECT(calls <= ThreadPool::Process().threads(), calls.load(), " calls");
}

TEST("a job reports what was done of its total") {
  std::vector<std::pair<int64_t, int64_t>> seen;
  Job job([&](int64_t done, int64_t total) { seen.push_back({done, total}); });
  job.SetTotal(10);
  job.Advance(3);
  job.Advance(7);
  EXPECT(seen == (std::vector<std::pair<int64_t, int64_t>>{{3, 10}, {10, 10}}));
  EXPECT(testing::CodeOf([&] { job.CheckCancelled(); }).empty());
}

}  // namespace
}  // namespace flab
