#include "binding/jobs.h"

#include <chrono>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "base/memory.h"
#include "base/thread_pool.h"

namespace flab::binding {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(40);

// A job while it runs. Owned by the messages on their way to JavaScript and by the cleanup hook's owner;
// destroyed on the JavaScript thread.
struct Running {
  explicit Running(Napi::Env env) : env(env), deferred(Napi::Promise::Deferred::New(env)) {}

  Napi::Env env;
  Napi::Promise::Deferred deferred;
  Napi::FunctionReference on_progress;
  std::vector<Napi::ObjectReference> kept;
  std::shared_ptr<Job> job;
  std::thread thread;
  Answer answer;
  std::optional<Error> error;
  std::optional<Napi::Error> thrown;  // by the progress callback

  // Lets go of JavaScript values without touching an environment that is gone.
  void Abandon() {
    on_progress.SuppressDestruct();
    for (auto& reference : kept) reference.SuppressDestruct();
    if (thrown) thrown->SuppressDestruct();
  }
};

struct Message {
  std::shared_ptr<Running> running;
  bool last;
  int64_t done, total;
};

void StopAndJoin(void* data) {
  auto* running = static_cast<Running*>(data);
  running->job->Cancel();
  if (running->thread.joinable()) running->thread.join();
}

void Settle(Napi::Env env, Running& running) {
  if (running.thread.joinable()) running.thread.join();
  napi_remove_env_cleanup_hook(env, StopAndJoin, &running);
  running.on_progress.Reset();
  running.kept.clear();
  if (running.thrown) return running.deferred.Reject(running.thrown->Value());
  if (running.error) return running.deferred.Reject(ToJsError(env, *running.error).Value());
  try {
    running.deferred.Resolve(running.answer(env));
  } catch (const Napi::Error& error) {
    running.deferred.Reject(error.Value());
  } catch (const std::bad_alloc&) {
    running.deferred.Reject(ToJsError(env, Error("ERR_MEMORY", "could not allocate the result")).Value());
  }
}

void Receive(Napi::Env env, Napi::Function, std::nullptr_t*, Message* raw) {
  std::unique_ptr<Message> message(raw);
  Running& running = *message->running;
  if (env == nullptr) return running.Abandon();
  Napi::HandleScope scope(env);
  if (message->last) return Settle(env, running);
  if (running.thrown || running.on_progress.IsEmpty()) return;
  try {
    running.on_progress.Call({Napi::Number::New(env, message->done), Napi::Number::New(env, message->total)});
  } catch (const Napi::Error& error) {
    running.thrown = error;
    running.job->Cancel();
  }
}

using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Message, Receive>;

void Send(const Channel& channel, Message* message) {
  if (channel.NonBlockingCall(message) == napi_ok) return;
  message->running->Abandon();  // the environment is closing
  delete message;
}

void RunWork(const std::shared_ptr<Running>& running, const Work& work) {
  try {
    running->answer = work(*running->job);
  } catch (const Error& error) {
    running->error.emplace(error);
  } catch (const std::bad_alloc&) {
    running->error.emplace("ERR_MEMORY", "could not allocate memory");
  } catch (const std::length_error&) {
    running->error.emplace("ERR_MEMORY", "could not allocate memory");
  } catch (const std::exception& error) {
    running->error.emplace("ERR_INTERNAL", error.what());
  }
}

}  // namespace

Napi::Error ToJsError(Napi::Env env, const Error& error) {
  Napi::Error js = Napi::Error::New(env, error.what());
  js.Set("code", Napi::String::New(env, error.code));
  if (!error.file.empty()) js.Set("file", Napi::String::New(env, error.file));
  return js;
}

Napi::Value StartJob(Napi::Env env, const Napi::Value& on_progress, std::vector<Napi::Object> kept, Work work) {
  auto running = std::make_shared<Running>(env);
  if (on_progress.IsFunction()) running->on_progress = Napi::Persistent(on_progress.As<Napi::Function>());
  for (const Napi::Object& object : kept) running->kept.push_back(Napi::Persistent(object));
  Channel channel = Channel::New(env, "flab-pruner job", 0, 1);

  auto last = std::make_shared<std::chrono::steady_clock::time_point>();
  // The job does not own its own thread's state: a weak pointer, or neither would ever go.
  running->job = std::make_shared<Job>([channel, last, weak = std::weak_ptr(running)](int64_t done, int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - *last < kProgressInterval) return;
    *last = now;
    if (auto running = weak.lock()) Send(channel, new Message{running, false, done, total});
  });
  napi_add_env_cleanup_hook(env, StopAndJoin, running.get());
  try {
    running->thread = std::thread([running, channel, work = std::move(work), threads = ThreadPool::limit(), memory = MemoryLimit()]() mutable {
      ThreadPool::Limit(threads);
      LimitMemory(memory);
      RunWork(running, work);
      work = nullptr;
      Send(channel, new Message{running, true, 0, 0});
      running.reset();
      channel.Release();
    });
  } catch (const std::system_error& error) {
    napi_remove_env_cleanup_hook(env, StopAndJoin, running.get());
    channel.Release();
    throw Error("ERR_MEMORY", std::string("could not start a thread: ") + error.what());
  }

  Napi::Object handle = Napi::Object::New(env);
  handle["promise"] = running->deferred.Promise();
  handle["cancel"] = Napi::Function::New(env, [job = running->job](const Napi::CallbackInfo&) { job->Cancel(); }, "cancel");
  return handle;
}

}  // namespace flab::binding
