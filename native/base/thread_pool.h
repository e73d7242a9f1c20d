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

  // Threads that work on a loop that the calling thread starts, itself included.
  int threads() const;

  // At most so many threads for each loop that the calling thread starts from now on, loops inside such loops
  // included; 0 lifts the limit. Other threads' loops are not concerned: jobs with different limits share the pool.
  static void Limit(int threads);
  static int limit();

 private:
  struct Loop {
    const std::function<void(int64_t)>* fn;
    int64_t count;
    int limit;            // of the thread that started it
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
};

// CPUs that this process may use, before any quota.
int AffinityThreads();

// min(CPUs this process may use, cgroup quota rounded up, FLAB_THREADS), at least 1.
int AllowedThreads();

}  // namespace flab
