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
// own loop too. No more threads compute at a time than are allowed, callers included: a thread in a loop holds one of
// so many slots, a caller that finds none waits its turn, and workers make room for it. Idle workers sleep.
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

    bool claimed() const { return next.load() >= count; }
    std::exception_ptr error;
  };

  // A caller without a slot: woken when it is its turn, or when its loop was ended by workers.
  struct Waiter {
    const Loop* loop;
    std::condition_variable woken;
  };

  explicit ThreadPool(int threads);
  void Work();
  // Works on the loop until its indices are all claimed, or `enough` says so.
  template <typename Enough>
  void Drain(Loop& loop, Enough&& enough);
  void DrainInTurns(Loop& loop);
  // Takes a slot when it is this loop's turn; false if workers ended the loop before.
  bool Enter(std::unique_lock<std::mutex>& lock, const Loop& loop);
  void Leave();
  void WakeNext();
  void Offer(const std::shared_ptr<Loop>& loop);

  const int slots_;
  std::atomic<int> hungry_{0};  // callers that wait for a slot
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  int taken_ = 0;                  // slots, guarded by mutex_
  std::deque<Waiter*> queue_;      // hungry callers, guarded by mutex_
  std::deque<std::shared_ptr<Loop>> loops_;  // that workers may enter, guarded by mutex_
  std::vector<std::thread> workers_;
};

// CPUs that this process may use, before any quota.
int AffinityThreads();

// min(CPUs this process may use, cgroup quota rounded up, FLAB_THREADS), at least 1. Throws Error("ERR_BAD_ARGUMENT") if
// FLAB_THREADS is set and no whole number of at least 1.
int AllowedThreads();

}  // namespace flab
