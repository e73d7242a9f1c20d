#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace flab {

// What a long operation shares with whoever started it: a flag that goes in, progress that comes out.
class Job {
 public:
  using Progress = std::function<void(int64_t done, int64_t total)>;
  explicit Job(Progress progress = {}) : progress_(std::move(progress)) {}

  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // Throws Error("ERR_ABORTED") once cancelled.
  void CheckCancelled() const;

  // Begins to count, also anew.
  void SetTotal(int64_t total) {
    total_ = total;
    done_ = 0;
  }
  // Called from the operation's own thread only.
  void Advance(int64_t amount) {
    if (amount == 0) return;
    done_ += amount;
    if (progress_) progress_(done_, total_);
  }

  // Runs fn(0..count-1) on the process's pool and on this thread, in any order; returns when all are
  // done. The first exception is rethrown here; cancellation stops between two calls.
  void Parallel(int64_t count, const std::function<void(int64_t)>& fn) const;

 private:
  std::atomic<bool> cancelled_{false};
  Progress progress_;
  int64_t done_ = 0, total_ = 0;
};

}  // namespace flab
