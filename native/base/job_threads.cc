#include "base/job_threads.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/thread_pool.h"

namespace flab {
namespace {

// After which a thread without work ends and gives back its stack and what it kept for loops.
constexpr auto kPatience = std::chrono::seconds(5);

// Jobs mostly wait for their turn in the pool; a few more than compute at a time can read and write files meanwhile.
constexpr int kJobsAThread = 4, kLeastJobs = 16;

bool TakeLocks(const std::set<std::mutex*>& locks) {
  for (auto lock = locks.begin(); lock != locks.end(); ++lock) {
    if ((*lock)->try_lock()) continue;
    std::for_each(locks.begin(), lock, [](std::mutex* taken) { taken->unlock(); });
    return false;
  }
  return true;
}

}  // namespace

JobThreads& JobThreads::Process() {
  static JobThreads* threads = new JobThreads(std::max(kLeastJobs, kJobsAThread * AllowedThreads()));
  return *threads;
}

int64_t JobThreads::Add(Task task) {
  std::lock_guard lock(mutex_);
  const int64_t ticket = ++last_ticket_;
  queue_.emplace(ticket, std::move(task));
  wake_.notify_one();
  if (static_cast<int64_t>(queue_.size()) > idle_ && threads_ < most_) StartThread();
  return ticket;
}

void JobThreads::StartThread() {
  try {
    std::thread([this] { Work(); }).detach();
    ++threads_;
  } catch (const std::system_error& error) {
    if (threads_ > 0) return;  // these will come to it
    queue_.erase(last_ticket_);
    throw Error("EAGAIN", std::string("No thread could be started: ") + error.what());
  }
}

bool JobThreads::Withdraw(int64_t ticket) {
  std::unique_lock lock(mutex_);
  const auto withdrawn = queue_.extract(ticket);
  lock.unlock();  // before its functions go
  return !withdrawn.empty();
}

void JobThreads::Quit(const void* owner) {
  std::map<int64_t, Task> withdrawn;
  std::unique_lock lock(mutex_);
  for (auto task = queue_.begin(); task != queue_.end();) {
    const auto next = std::next(task);
    if (task->second.owner == owner) withdrawn.insert(queue_.extract(task));
    task = next;
  }
  over_.wait(lock, [&] { return !active_.contains(owner); });
}

bool JobThreads::Take(Task& task) {
  std::set<std::mutex*> awaited;  // by tasks further in front
  for (auto place = queue_.begin(); place != queue_.end(); ++place) {
    const std::set<std::mutex*>& locks = place->second.locks;
    const bool is_turn = std::none_of(locks.begin(), locks.end(), [&](std::mutex* lock) { return awaited.contains(lock); });
    if (is_turn && TakeLocks(locks)) {
      task = std::move(place->second);
      queue_.erase(place);
      return true;
    }
    awaited.insert(locks.begin(), locks.end());
  }
  return false;
}

void JobThreads::Work() {
  std::unique_lock lock(mutex_);
  for (++idle_;;) {
    if (Task task; wake_.wait_for(lock, kPatience, [&] { return Take(task); })) {
      Run(std::move(task), lock);
    } else if (queue_.empty()) {
      --idle_, --threads_;
      return;
    }
  }
}

void JobThreads::Run(Task task, std::unique_lock<std::mutex>& lock) {
  --idle_;
  const auto active = active_.insert(task.owner);
  lock.unlock();
  task.run();
  lock.lock();
  for (std::mutex* taken : task.locks) taken->unlock();
  if (!task.locks.empty()) wake_.notify_all();  // more than one task may have waited for them
  ++idle_;
  lock.unlock();
  task.report();
  task = {};  // not under the lock
  lock.lock();
  active_.erase(active);
  over_.notify_all();
}

}  // namespace flab
