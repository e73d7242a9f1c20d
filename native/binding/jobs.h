#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/job.h"
#include "base/job_threads.h"

namespace flab::binding {

// Makes the result of a job, on the JavaScript thread.
using Answer = std::function<Napi::Value(Napi::Env)>;

// The work of a job, on a thread of JobThreads: no JavaScript there.
using Work = std::function<Answer(Job&)>;

// The jobs of one environment (a JavaScript thread), and what connects their threads with its event loop, which lives as
// long as one of them is under way. An environment that ends cancels its jobs and waits for those that have begun.
class Jobs {
 public:
  explicit Jobs(Napi::Env env);

  Napi::Value Start(Napi::Env env, const Napi::Value& on_progress, const std::vector<Napi::Object>& kept, Work work, std::set<std::mutex*> locks);

 private:
  struct Running;
  struct Message;
  static void Receive(Napi::Env env, Napi::Function, Jobs* jobs, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<Jobs, Message, Receive>;

  static void EndAll(void* jobs);
  void Queue(Running* running, std::set<std::mutex*> locks);
  void Send(Running* running, bool last, int64_t done, int64_t total);
  void Tell(Napi::Env env, Running& running, int64_t done, int64_t total);
  void Cancel(Napi::Env env, Running& running);
  void Settle(Napi::Env env, Running& running);

  JobThreads& threads_;
  Channel channel_;
  std::unordered_map<const Running*, std::shared_ptr<Running>> under_way_;
};

// Queues `work` for a thread and returns {promise, cancel}. Not on libuv's pool: a long job would block the file system. It keeps to
// the limits of threads and memory that hold on this thread now. `on_progress` may be undefined. `kept` stays alive until the
// job has ended: the JavaScript memory that the work reads and writes. The job has `locks` while it works.
Napi::Value StartJob(Napi::Env env, const Napi::Value& on_progress, const std::vector<Napi::Object>& kept, Work work, std::set<std::mutex*> locks = {});

// The JavaScript error of a core error: code, message and file.
Napi::Error ToJsError(Napi::Env env, const Error& error);

}  // namespace flab::binding
