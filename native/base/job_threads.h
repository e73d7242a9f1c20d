#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>

namespace flab {

// The threads that jobs run on: so many at most, started when jobs come, kept for the next ones and ended when none came for
// a while. Jobs begin in the order in which they came, but one that needs a lock which others have, or wait for before it,
// lets those behind it pass. So nobody sleeps on a thread for a lock: whoever has one runs, and gives it back.
class JobThreads {
 public:
  struct Task {
    std::function<void()> run;     // throws nothing
    std::function<void()> report;  // called after it, when its locks and its thread are free for others
    std::set<std::mutex*> locks;   // held by `run`; whoever adds the task sees that they outlive it
    const void* owner = nullptr;   // for Quit
  };

  explicit JobThreads(int most) : most_(most) {}

  // The process's. Never destroyed, as its threads may still sleep when the process exits.
  static JobThreads& Process();

  // Queues a task and returns a ticket to withdraw it with. Throws Error("EAGAIN") if there is no thread and none can be started.
  int64_t Add(Task task);

  // Takes back a task that has not begun: neither `run` nor `report` will be called. False: it has.
  bool Withdraw(int64_t ticket);

  // Takes back all tasks of an owner that have not begun, and returns when nothing of the others runs any more.
  void Quit(const void* owner);

 private:
  void StartThread();
  void Work();
  void Run(Task task, std::unique_lock<std::mutex>& lock);
  // Moves the first task that may begin to `task`, with its locks held; false if there is none.
  bool Take(Task& task);

  const int most_;
  std::mutex mutex_;  // guards all below
  std::condition_variable wake_, over_;
  std::map<int64_t, Task> queue_;  // by ticket
  int64_t last_ticket_ = 0;
  int threads_ = 0;
  int64_t idle_ = 0;  // threads that look for a task, or do so next
  std::multiset<const void*> active_;  // owners of tasks between the beginning of `run` and the end of `report`
};

}  // namespace flab
