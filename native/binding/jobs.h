#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/job.h"

namespace flab::binding {

// Makes the result of a job, on the JavaScript thread.
using Answer = std::function<Napi::Value(Napi::Env)>;

// The work of a job, on its own thread: no JavaScript there.
using Work = std::function<Answer(Job&)>;

// Starts `work` on a thread of its own and returns {promise, cancel}. Not libuv's pool: a long job would
// block the file system. It keeps to the limits of threads and memory that hold on this thread now. `on_progress` may be undefined. `kept` stays alive until the job has ended: the
// JavaScript memory that the work reads and writes. An environment that ends meanwhile cancels the job and
// waits for its thread.
Napi::Value StartJob(Napi::Env env, const Napi::Value& on_progress, std::vector<Napi::Object> kept, Work work);

// The JavaScript error of a core error: code, message and file.
Napi::Error ToJsError(Napi::Env env, const Error& error);

}  // namespace flab::binding
