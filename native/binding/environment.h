#pragma once

#include <napi.h>

#include "binding/jobs.h"

namespace flab::binding {

// What the addon keeps for each environment: the process has one for each of its JavaScript threads.
struct Environment {
  explicit Environment(Napi::Env env) : jobs(env) {}
  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Napi::FunctionReference mapped_file;  // the constructor
  Jobs jobs;
};

}  // namespace flab::binding
