// The calls about devices: which there are, and opening one. All make the driver work for a moment, so they are jobs.

#include <napi.h>

#include <string>
#include <utility>
#include <vector>

#include "binding/calls.h"
#include "binding/jobs.h"
#include "binding/opened.h"
#include "binding/values.h"

namespace flab::binding {
namespace {

std::string Version(int32_t version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

Napi::Object Describe(Napi::Env env, int32_t index, const FlabDeviceInfo& info) {
  Napi::Object result = Napi::Object::New(env);
  result["index"] = Napi::Number::New(env, index);
  result["name"] = Napi::String::New(env, info.name);
  result["memoryBytes"] = Napi::Number::New(env, static_cast<double>(info.memory));
  result["availableBytes"] = Napi::Number::New(env, static_cast<double>(info.available));
  result["computeCapability"] = Napi::String::New(env, std::to_string(info.major) + "." + std::to_string(info.minor));
  result["driver"] = Napi::String::New(env, Version(info.driver));
  result["runtime"] = Napi::String::New(env, Version(info.runtime));
  return result;
}

int32_t CountDevices(const FlabBackend& backend) {
  int32_t count = 0;
  if (backend.count(&count) != FLAB_OK) throw BackendError(backend, "looking for devices");
  return count;
}

}  // namespace

Napi::Value StartCountDevices(const Napi::CallbackInfo& info) {
  auto work = [library = info[0].ToString().Utf8Value()](Job&) -> Answer {
    const int32_t count = CountDevices(OpenBackend(library));
    return [count](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, count); };
  };
  return StartJob(info.Env(), info.Env().Undefined(), {}, std::move(work));
}

Napi::Value StartListDevices(const Napi::CallbackInfo& info) {
  auto work = [library = info[0].ToString().Utf8Value()](Job&) -> Answer {
    const FlabBackend& backend = OpenBackend(library);
    const int32_t count = CountDevices(backend);
    std::vector<std::pair<FlabDeviceInfo, std::string>> devices(count);  // what each says, or why it says nothing
    for (int32_t i = 0; i < count; ++i) {
      if (backend.info(i, &devices[i].first) != FLAB_OK) devices[i].second = BackendError(backend, "asking device " + std::to_string(i)).what();
    }
    return [devices = std::move(devices)](Napi::Env env) -> Napi::Value {
      Napi::Array list = Napi::Array::New(env, devices.size());
      for (size_t i = 0; i < devices.size(); ++i) {
        Napi::Object device = Describe(env, static_cast<int32_t>(i), devices[i].first);
        if (!devices[i].second.empty()) device["problem"] = Napi::String::New(env, devices[i].second);
        list[i] = device;
      }
      return list;
    };
  };
  return StartJob(info.Env(), info.Env().Undefined(), {}, std::move(work));
}

Napi::Value StartOpenDevice(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  const bool has_products = input.Get("products").IsString();
  auto work = [library = GetString(input, "library"), index = static_cast<int32_t>(GetInteger(input, "index")), has_products,
               products = has_products ? GetString(input, "products") : std::string(), limit = GetInteger(input, "maxMemory")](Job&) -> Answer {
    auto opened = std::make_shared<OpenedDevice>();
    opened->device = Device::Open(OpenBackend(library), index, has_products ? products.c_str() : nullptr, limit);
    return [opened, index](Napi::Env env) -> Napi::Value {
      Napi::Object result = Describe(env, index, opened->device->info());
      result["handle"] = WrapDevice(env, opened);
      result["products"] = Napi::String::New(env, opened->device->products());
      result["fastProducts"] = Napi::Boolean::New(env, opened->device->fast_products());
      return result;
    };
  };
  return StartJob(info.Env(), info.Env().Undefined(), {}, std::move(work));
}

}  // namespace flab::binding
