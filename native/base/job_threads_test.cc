#include "base/job_threads.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/testing.h"

namespace flab {
namespace {

// Never destroyed: their threads still wait for tasks when a test ends.
JobThreads& NewThreads(int most) { return *new JobThreads(most); }

// A task that says when it has begun, and ends when it is told to.
struct Held {
  std::promise<void> begun, end, reported;

  JobThreads::Task Task(std::set<std::mutex*> locks = {}, const void* owner = nullptr) {
    return {.run = [this] { begun.set_value(), end.get_future().wait(); }, .report = [this] { reported.set_value(); }, .locks = std::move(locks), .owner = owner};
  }
  void AwaitBegin() { begun.get_future().wait(); }
  void End() { end.set_value(), reported.get_future().wait(); }
};

// Tasks that write their letters down, one after the other.
struct Journal {
  std::mutex mutex;
  std::string letters;
  std::vector<std::future<void>> reports;

  JobThreads::Task Task(char letter, std::set<std::mutex*> locks = {}, const void* owner = nullptr) {
    auto reported = std::make_shared<std::promise<void>>();
    reports.push_back(reported->get_future());
    return {.run = [this, letter] { Write(letter); }, .report = [reported] { reported->set_value(); }, .locks = std::move(locks), .owner = owner};
  }
  void Write(char letter) {
    std::lock_guard lock(mutex);
    letters += letter;
  }
  std::string AwaitAll() {
    for (auto& report : reports) report.wait();
    return letters;
  }
};

TEST("all jobs run, and never more at a time than there may be threads") {
  JobThreads& threads = NewThreads(3);
  std::atomic<int> now = 0, most = 0;
  std::vector<std::promise<void>> reported(2000);
  for (auto& promise : reported) {
    threads.Add({.run =
                     [&] {
                       const int running = ++now;
                       for (int seen = most; seen < running && !most.compare_exchange_weak(seen, running);) continue;
                       std::this_thread::yield();
                       --now;
                     },
                 .report = [&promise] { promise.set_value(); }, .locks = {}});
  }
  for (auto& promise : reported) promise.get_future().wait();
  EXPECT(most >= 1 && most <= 3, "at a time: ", most.load());
}

TEST("jobs begin in the order in which they came") {
  JobThreads& threads = NewThreads(1);
  Held first;
  Journal journal;
  threads.Add(first.Task());
  for (const char letter : std::string("abcdef")) threads.Add(journal.Task(letter));
  first.End();
  EXPECT(journal.AwaitAll() == "abcdef", journal.letters);
}

TEST("jobs that wait for a lock take no thread, and those that need none pass them") {
  JobThreads& threads = NewThreads(2);
  std::mutex lock;
  Held holder;
  Journal waiting, passing;
  threads.Add(holder.Task({&lock}));
  holder.AwaitBegin();
  for (const char letter : std::string("abc")) threads.Add(waiting.Task(letter, {&lock}));
  threads.Add(passing.Task('p'));
  EXPECT(passing.AwaitAll() == "p");
  EXPECT(waiting.letters.empty(), waiting.letters);
  holder.End();
  EXPECT(waiting.AwaitAll() == "abc", waiting.letters);
}

TEST("a job that needs two locks is not passed by one that came later and needs one of them") {
  JobThreads& threads = NewThreads(4);
  std::mutex a, b;
  Held holder;
  Journal journal;
  threads.Add(holder.Task({&a}));
  holder.AwaitBegin();
  threads.Add(journal.Task('2', {&a, &b}));
  threads.Add(journal.Task('b', {&b}));
  Journal free;
  threads.Add(free.Task('f'));
  free.AwaitAll();  // so the queue was looked through meanwhile
  EXPECT(journal.letters.empty(), journal.letters);
  holder.End();
  EXPECT(journal.AwaitAll() == "2b", journal.letters);
}

TEST("all that waited for the locks of one job begin when it ends") {
  JobThreads& threads = NewThreads(3);
  std::mutex a, b;
  Held holder, first, second;
  threads.Add(holder.Task({&a, &b}));
  holder.AwaitBegin();
  threads.Add(first.Task({&a}));
  threads.Add(second.Task({&b}));
  holder.End();
  first.AwaitBegin();
  second.AwaitBegin();  // though the first has not ended
  first.End();
  second.End();
}

TEST("a job that has not begun can be withdrawn, once, and never runs") {
  JobThreads& threads = NewThreads(1);
  Held first;
  Journal journal;
  const int64_t running = threads.Add(first.Task());
  first.AwaitBegin();
  auto kept = std::make_shared<int>(0);
  const int64_t queued = threads.Add({.run = [kept] { ++*kept; }, .report = [kept] { ++*kept; }, .locks = {}});
  threads.Add(journal.Task('z'));
  EXPECT(threads.Withdraw(queued));
  EXPECT(kept.use_count() == 1, "its functions are still there");
  EXPECT(!threads.Withdraw(queued));
  EXPECT(!threads.Withdraw(running));
  first.End();
  EXPECT(journal.AwaitAll() == "z" && *kept == 0, journal.letters, *kept);
}

TEST("an owner that quits waits for its running jobs, takes back the others, and leaves other owners' alone") {
  JobThreads& threads = NewThreads(1);
  const int mine = 0, other = 0;
  std::atomic<bool> reported = false;
  std::promise<void> begun;
  Journal withdrawn, left;
  threads.Add({.run = [&] { begun.set_value(), std::this_thread::sleep_for(std::chrono::milliseconds(20)); },
               .report =
                   [&] {
                     std::this_thread::sleep_for(std::chrono::milliseconds(20));
                     reported = true;
                   },
               .locks = {},
               .owner = &mine});
  begun.get_future().wait();
  threads.Add(withdrawn.Task('w', {}, &mine));
  threads.Add(left.Task('l', {}, &other));
  threads.Quit(&mine);
  EXPECT(reported);
  EXPECT(left.AwaitAll() == "l");
  EXPECT(withdrawn.letters.empty());
}

}  // namespace
}  // namespace flab
