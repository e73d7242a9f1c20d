#include "base/thread_pool.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/cgroup.h"

namespace flab {
namespace {

thread_local int thread_limit = 0;

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
  if (const char* wanted = std::getenv("FLAB_THREADS")) {
    if (std::atoi(wanted) > 0) threads = std::min(threads, std::atoi(wanted));
  }
  return std::max(1, threads);
}

ThreadPool& ThreadPool::Process() {
  static ThreadPool* pool = new ThreadPool(AllowedThreads());
  return *pool;
}

ThreadPool::ThreadPool(int threads) {
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
  if (loop->places > 0) {
    std::lock_guard lock(mutex_);
    loops_.push_back(loop);
    wake_.notify_all();
  }
  Drain(*loop);
  std::unique_lock lock(mutex_);
  std::erase(loops_, loop);
  finished_.wait(lock, [&] { return loop->active == 0; });
  if (loop->error) std::rethrow_exception(loop->error);
}

void ThreadPool::Drain(Loop& loop) {
  for (int64_t i; (i = loop.next.fetch_add(1)) < loop.count;) {
    try {
      (*loop.fn)(i);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!loop.error) loop.error = std::current_exception();
      loop.next = loop.count;
    }
  }
}

void ThreadPool::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return !loops_.empty(); });
    auto loop = loops_.front();
    ++loop->active;
    if (--loop->places == 0) std::erase(loops_, loop);
    lock.unlock();
    thread_limit = loop->limit;
    Drain(*loop);
    lock.lock();
    // All indices are claimed: no other worker has to look at this loop.
    std::erase(loops_, loop);
    if (--loop->active == 0) finished_.notify_all();
  }
}

}  // namespace flab
