#include "binding/jobs.h"

#include <chrono>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "binding/environment.h"

namespace flab::binding {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kProgressInterval = std::chrono::milliseconds(40);

}  // namespace

// A job from its call until its promise is settled. Made and destroyed on the JavaScript thread.
struct Jobs::Running {
  Running(Napi::Env env, Jobs& jobs, Work work)
      : deferred(Napi::Promise::Deferred::New(env)), job([this, &jobs](int64_t done, int64_t total) { Advance(jobs, done, total); }), work(std::move(work)) {}

  void Listen(Napi::Env env, const Napi::Function& function) {
    on_progress = Napi::Persistent(function);
    const Napi::Object resource = Napi::Object::New(env);
    context_resource = Napi::Persistent(resource);
    context.emplace(env, "flab-pruner job", resource);
  }

  void Advance(Jobs& jobs, int64_t done, int64_t total) {
    const auto now = Clock::now();
    if (!context || (done < total && now - told < kProgressInterval)) return;
    told = now;
    jobs.Send(this, false, done, total);
  }

  // What the core or the standard library throws becomes the job's error.
  void Try(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& thrown) {
      error.emplace(thrown);
    } catch (const std::bad_alloc&) {
      error.emplace("ERR_MEMORY", "could not allocate memory");
    } catch (const std::length_error&) {
      error.emplace("ERR_MEMORY", "could not allocate memory");
    } catch (const std::exception& thrown) {
      error.emplace("ERR_INTERNAL", thrown.what());
    }
  }

  Napi::Promise::Deferred deferred;
  Napi::FunctionReference on_progress;
  std::optional<Napi::AsyncContext> context;  // of the call, for `on_progress`
  Napi::ObjectReference context_resource;     // what AsyncLocalStorage goes by; the context alone would let it be collected
  std::vector<Napi::ObjectReference> kept;
  std::optional<Napi::Error> thrown;  // by `on_progress`
  int64_t ticket = 0;

  // The job's own thread has these until it reports.
  Job job;
  Work work;
  Answer answer;
  std::optional<Error> error;
  Clock::time_point told;
};

// From a job's thread to the event loop. The last one is that the job has ended.
struct Jobs::Message {
  Running* running;
  bool last;
  int64_t done, total;
};

Jobs::Jobs(Napi::Env env) : threads_(JobThreads::Process()), channel_(Channel::New(env, "flab-pruner jobs", 0, 1, this)) {
  channel_.Unref(env);
  // After the channel's own hook, so run before it: no thread uses a channel that is gone.
  napi_add_env_cleanup_hook(env, EndAll, this);
}

void Jobs::EndAll(void* data) {
  auto* jobs = static_cast<Jobs*>(data);
  for (const auto& [_, running] : jobs->under_way_) running->job.Cancel();
  jobs->threads_.Quit(jobs);
  jobs->under_way_.clear();
  jobs->channel_.Release();
}

Napi::Value Jobs::Start(Napi::Env env, const Napi::Value& on_progress, const std::vector<Napi::Object>& kept, Work work, std::set<std::mutex*> locks) {
  const auto running = std::make_shared<Running>(env, *this, std::move(work));
  if (on_progress.IsFunction()) running->Listen(env, on_progress.As<Napi::Function>());
  for (const Napi::Object& object : kept) running->kept.push_back(Napi::Persistent(object));
  Queue(running.get(), std::move(locks));
  if (under_way_.empty()) channel_.Ref(env);
  under_way_.emplace(running.get(), running);

  Napi::Object handle = Napi::Object::New(env);
  handle["promise"] = running->deferred.Promise();
  handle["cancel"] = Napi::Function::New(env, [this, weak = std::weak_ptr(running)](const Napi::CallbackInfo& info) {
    if (const auto running = weak.lock()) Cancel(info.Env(), *running);
  }, "cancel");
  return handle;
}

void Jobs::Queue(Running* running, std::set<std::mutex*> locks) {
  const auto run = [running, threads = ThreadPool::limit(), memory = MemoryLimit()] {
    ThreadPool::Limit(threads);
    LimitMemory(memory);
    running->Try([running] { running->answer = running->work(running->job); });
  };
  running->ticket = threads_.Add({
      .run = run,
      .report = [this, running] {
        running->work = nullptr;  // a model may go with it, which takes long
        Send(running, true, 0, 0);
      },
      .locks = std::move(locks),
      .owner = this,
  });
}

void Jobs::Send(Running* running, bool last, int64_t done, int64_t total) {
  auto message = std::unique_ptr<Message>(new Message{running, last, done, total});
  if (channel_.NonBlockingCall(message.get()) == napi_ok) (void)message.release();  // else the environment is closing
}

void Jobs::Receive(Napi::Env env, Napi::Function, Jobs* jobs, Message* raw) {
  const std::unique_ptr<Message> message(raw);
  if (env == nullptr) return;  // it is gone, and its jobs with it
  Napi::HandleScope scope(env);
  if (message->last) return jobs->Settle(env, *message->running);
  jobs->Tell(env, *message->running, message->done, message->total);
}

void Jobs::Tell(Napi::Env env, Running& running, int64_t done, int64_t total) {
  if (running.thrown) return;
  try {
    running.on_progress.MakeCallback(env.Global(), {Napi::Number::New(env, done), Napi::Number::New(env, total)}, *running.context);
  } catch (const Napi::Error& error) {
    running.thrown = error;
    running.job.Cancel();
  }
}

void Jobs::Cancel(Napi::Env env, Running& running) {
  running.job.Cancel();
  if (!threads_.Withdraw(running.ticket)) return;
  running.Try([&] { running.job.CheckCancelled(); });
  Settle(env, running);
}

void Jobs::Settle(Napi::Env env, Running& settled) {
  const auto running = std::move(under_way_.extract(&settled).mapped());
  if (under_way_.empty()) channel_.Unref(env);
  if (running->thrown) return running->deferred.Reject(running->thrown->Value());
  if (running->error) return running->deferred.Reject(ToJsError(env, *running->error).Value());
  try {
    running->deferred.Resolve(running->answer(env));
  } catch (const Napi::Error& error) {
    running->deferred.Reject(error.Value());
  } catch (const std::bad_alloc&) {
    running->deferred.Reject(ToJsError(env, Error("ERR_MEMORY", "could not allocate the result")).Value());
  }
}

Napi::Value StartJob(Napi::Env env, const Napi::Value& on_progress, const std::vector<Napi::Object>& kept, Work work, std::set<std::mutex*> locks) {
  return Environment::Of(env).jobs.Start(env, on_progress, kept, std::move(work), std::move(locks));
}

Napi::Error ToJsError(Napi::Env env, const Error& error) {
  Napi::Error js = Napi::Error::New(env, error.what());
  js.Set("code", Napi::String::New(env, error.code));
  if (!error.file.empty()) js.Set("file", Napi::String::New(env, error.file));
  return js;
}

}  // namespace flab::binding
