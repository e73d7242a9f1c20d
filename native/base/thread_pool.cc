#include "base/thread_pool.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include "base/cgroup.h"
#include "base/error.h"

namespace flab {
namespace {

thread_local int thread_limit = 0;

// Whether this thread is one of those that compute: loops within loops need no other slot.
thread_local bool holds_slot = false;

// For which a caller computes when others wait.
constexpr auto kTurn = std::chrono::milliseconds(5);

// What FLAB_THREADS asks for; no limit where it is not set.
int WantedThreads() {
  constexpr int kMost = std::numeric_limits<int>::max();
  const char* text = std::getenv("FLAB_THREADS");
  if (!text || !*text) return kMost;
  const std::string_view digits = text;
  if (digits.find_first_not_of("0123456789") != std::string_view::npos || digits.find_first_not_of('0') == std::string_view::npos) {
    throw Error("ERR_BAD_ARGUMENT", "FLAB_THREADS: expected a whole number of at least 1, got \"" + std::string(text) + "\"");
  }
  return static_cast<int>(std::min<long>(std::strtol(text, nullptr, 10), kMost));
}

}  // namespace

int AffinityThreads() {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int AllowedThreads() {
  int threads = AffinityThreads();
  if (const int quota = ReadCgroup().threads; quota > 0) threads = std::min(threads, quota);
  return std::max(1, std::min(threads, WantedThreads()));
}

ThreadPool& ThreadPool::Process() {
  static ThreadPool* pool = new ThreadPool(AllowedThreads());
  return *pool;
}

ThreadPool::ThreadPool(int threads) : slots_(threads) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { Work(); });
  } catch (const std::system_error&) {
    // Fewer workers than wanted; the callers' own threads do the rest.
  }
}

int ThreadPool::threads() const {
  const int all = static_cast<int>(workers_.size()) + 1;
  return thread_limit > 0 ? std::min(thread_limit, all) : all;
}

void ThreadPool::Limit(int threads) { thread_limit = threads; }

int ThreadPool::limit() { return thread_limit; }

void ThreadPool::Run(int64_t count, const std::function<void(int64_t)>& fn) {
  if (count <= 0) return;
  auto loop = std::make_shared<Loop>();
  loop->fn = &fn;
  loop->count = count;
  loop->limit = thread_limit;
  loop->places = std::min<int64_t>(threads() - 1, count - 1);
  const auto always = [] { return false; };
  if (holds_slot && loop->places <= 0) {
    Drain(*loop, always);
    if (loop->error) std::rethrow_exception(loop->error);
    return;
  }
  std::unique_lock lock(mutex_);
  if (loop->places > 0) Offer(loop);
  if (holds_slot) {
    lock.unlock();
    Drain(*loop, always);
    lock.lock();
  } else if (Enter(lock, *loop)) {
    lock.unlock();
    DrainInTurns(*loop);
    lock.lock();
    if (holds_slot) Leave();
  }
  std::erase(loops_, loop);
  finished_.wait(lock, [&] { return loop->active == 0; });
  if (loop->error) std::rethrow_exception(loop->error);
}

void ThreadPool::Offer(const std::shared_ptr<Loop>& loop) {
  loops_.push_back(loop);
  wake_.notify_all();
}

bool ThreadPool::Enter(std::unique_lock<std::mutex>& lock, const Loop& loop) {
  if (taken_ == slots_ || !queue_.empty()) {
    Waiter waiter{.loop = &loop, .woken = {}};
    queue_.push_back(&waiter);
    ++hungry_;
    waiter.woken.wait(lock, [&] { return (taken_ < slots_ && queue_.front() == &waiter) || (loop.claimed() && loop.active == 0); });
    std::erase(queue_, &waiter);
    --hungry_;
    if (loop.claimed()) {
      WakeNext();
      return false;
    }
  }
  ++taken_;
  holds_slot = true;
  WakeNext();
  return true;
}

void ThreadPool::Leave() {
  holds_slot = false;
  --taken_;
  WakeNext();
}

// For each free slot: callers come first.
void ThreadPool::WakeNext() {
  if (taken_ == slots_) return;
  if (!queue_.empty()) {
    queue_.front()->woken.notify_one();
  } else if (!loops_.empty()) {
    wake_.notify_all();
  }
}

template <typename Enough>
void ThreadPool::Drain(Loop& loop, Enough&& enough) {
  while (!enough()) {
    const int64_t i = loop.next.fetch_add(1);
    if (i >= loop.count) return;
    try {
      (*loop.fn)(i);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!loop.error) loop.error = std::current_exception();
      loop.next = loop.count;
    }
  }
}

// A caller in a long loop lets the ones that wait have their turns.
void ThreadPool::DrainInTurns(Loop& loop) {
  using Clock = std::chrono::steady_clock;
  while (!loop.claimed()) {
    const auto begin = Clock::now();
    Drain(loop, [&] { return hungry_.load(std::memory_order_relaxed) > 0 && Clock::now() - begin > kTurn; });
    if (loop.claimed()) return;
    std::unique_lock lock(mutex_);
    Leave();
    if (!Enter(lock, loop)) return;
  }
}

void ThreadPool::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return !loops_.empty() && taken_ + static_cast<int>(queue_.size()) < slots_; });
    auto loop = loops_.front();
    ++loop->active;
    if (--loop->places == 0) std::erase(loops_, loop);
    ++taken_;
    holds_slot = true;
    lock.unlock();
    thread_limit = loop->limit;
    Drain(*loop, [&] { return hungry_.load(std::memory_order_relaxed) > 0; });
    lock.lock();
    if (loop->claimed()) {
      // No other worker has to look at this loop.
      std::erase(loops_, loop);
    } else if (loop->places++ == 0) {
      loops_.push_back(loop);
    }
    --loop->active;
    Leave();
    if (loop->active > 0) continue;
    finished_.notify_all();
    for (Waiter* waiter : queue_) {
      if (waiter->loop == loop.get()) waiter->woken.notify_one();
    }
  }
}

}  // namespace flab
