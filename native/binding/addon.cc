// The addon's surface, call by call as in ts/native/contract.ts: what it exports, and the calls about memory and threads.

#include <napi.h>

#include <algorithm>

#include "base/cgroup.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "binding/calls.h"
#include "binding/environment.h"
#include "binding/jobs.h"
#include "binding/mapped_file_object.h"
#include "binding/opened.h"
#include "binding/values.h"
#include "cpu/kernels.h"

namespace flab::binding {
namespace {

// Core errors of the input's readers become JavaScript exceptions.
template <Napi::Value (*kCall)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return kCall(info);
  } catch (const Error& error) {
    throw ToJsError(info.Env(), error);
  } catch (const std::bad_alloc&) {
    throw ToJsError(info.Env(), Error("ERR_MEMORY", "could not allocate memory"));
  }
}

Napi::Value MapFile(const Napi::CallbackInfo& info) {
  return MappedFileObject::New(info.Env(), MappedFile::Open(info[0].ToString().Utf8Value()));
}

Napi::Value OpenModel(const Napi::CallbackInfo& info) { return WrapModel(info.Env(), ReadNewModel(ReadInput(info))); }

// Whatever a handle holds; jobs that run keep it until they end.
template <void (*kClose)(const Napi::Value&)>
Napi::Value Close(const Napi::CallbackInfo& info) {
  kClose(info[0]);
  return info.Env().Undefined();
}

Napi::Value LimitThreads(const Napi::CallbackInfo& info) {
  ThreadPool::Limit(std::max(0, info[0].ToNumber().Int32Value()));
  return info.Env().Undefined();
}

Napi::Value LimitMemoryBytes(const Napi::CallbackInfo& info) {
  LimitMemory(std::max<int64_t>(0, info[0].ToNumber().Int64Value()));
  return info.Env().Undefined();
}

Napi::Value Resources(const Napi::CallbackInfo& info) {
  const Cgroup cgroup = ReadCgroup();
  Napi::Object result = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, int64_t number) { result[name] = Napi::Number::New(info.Env(), static_cast<double>(number)); };
  set("affinityThreads", AffinityThreads());
  set("threads", AllowedThreads());
  set("availableBytes", AvailableMemory());
  set("residentBytes", ResidentBytes());
  if (cgroup.threads > 0) set("cgroupThreads", cgroup.threads);
  if (cgroup.memory_limit > 0) set("cgroupBytes", cgroup.memory_limit);
  return result;
}

Napi::Value ReturnFreeMemoryNow(const Napi::CallbackInfo& info) {
  ReturnFreeMemory();
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  try {
    exports["cpu"] = Napi::String::New(env, ActiveKernels().name);
    exports["threads"] = Napi::Number::New(env, ThreadPool::Process().threads());
  } catch (const Error& error) {
    throw ToJsError(env, error);
  }
  exports["version"] = Napi::String::New(env, FLAB_VERSION);
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);
  environment->mapped_file = Napi::Persistent(MappedFileObject::Define(env));
  const auto define = [&](const char* name, auto* call) { exports[name] = Napi::Function::New(env, call, name); };
  define("mapFile", Guarded<MapFile>);
  define("openModel", Guarded<OpenModel>);
  define("limitThreads", Guarded<LimitThreads>);
  define("limitMemory", Guarded<LimitMemoryBytes>);
  define("resources", Guarded<Resources>);
  define("returnFreeMemory", Guarded<ReturnFreeMemoryNow>);
  define("closeModel", Guarded<Close<CloseModel>>);
  define("closeDevice", Guarded<Close<CloseDevice>>);
  define("countDevices", Guarded<StartCountDevices>);
  define("listDevices", Guarded<StartListDevices>);
  define("openDevice", Guarded<StartOpenDevice>);
  define("leastMemory", Guarded<LeastMemory>);
  define("scoreLayers", Guarded<StartScoreLayers>);
  define("measure", Guarded<StartMeasure>);
  define("rankNeurons", Guarded<StartRankNeurons>);
  define("compare", Guarded<StartCompare>);
  define("logits", Guarded<StartLogits>);
  define("writeFiles", Guarded<StartWriteFiles>);
  define("sliceRows", Guarded<StartSliceRows>);
  define("sliceColumns", Guarded<StartSliceColumns>);
  define("klDivergence", Guarded<StartKlDivergence>);
  define("neuronScores", Guarded<StartNeuronScores>);
  define("topK", Guarded<StartTopK>);
  return exports;
}

}  // namespace
}  // namespace flab::binding

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return flab::binding::Init(env, exports); }
NODE_API_MODULE(flab_pruner, InitAddon)
