#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace flab {

// The process's worker threads. Several callers may run loops at the same time; each caller works on its
// own loop too, so a loop ends even when all workers are busy elsewhere. Idle workers sleep.
class ThreadPool {
 public:
  // Never destroyed: a worker may still run when the process exits (the addon is linked nodelete).
  static ThreadPool& Process();

  // Runs fn(0..count-1), each once, in any order, and returns when all are done. After an exception no
  // further index is started; the first one is rethrown.
  void Run(int64_t count, const std::function<void(int64_t)>& fn);

  // Threads that work on one loop, the caller included.
  int threads() const;

  // Fewer threads for loops that start from now on; 0 lifts the limit.
  void Limit(int threads) { limit_ = threads; }

 private:
  struct Loop {
    const std::function<void(int64_t)>* fn;
    int64_t count;
    std::atomic<int64_t> next{0};
    int64_t active = 0;   // workers inside, guarded by mutex_
    int64_t places = 0;   // workers that may still come in, guarded by mutex_
    std::exception_ptr error;
  };

  explicit ThreadPool(int threads);
  void Work();
  void Drain(Loop& loop);

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::deque<std::shared_ptr<Loop>> loops_;
  std::vector<std::thread> workers_;
  std::atomic<int> limit_{0};
};

// min(CPUs this process may use, cgroup quota rounded up, FLAB_THREADS), at least 1.
int AllowedThreads();

}  // namespace flab
