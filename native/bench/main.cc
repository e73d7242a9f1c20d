// The core's benchmarks.
//
//   flab_bench [part of a name]   runs the cases, one line of text each
//   flab_bench --list             a line of JSON on this build, the models of the cases and the GPU, then one a case
//   flab_bench --serve            reads names from stdin; answers with JSON. A name that is not that of the line before lets go
//                                 of the former case's memory and makes this one's operands; the same name again runs the
//                                 operation and tells the seconds on the clock and of all processors, and the largest
//                                 resident memory since the operands were ready.
//
// Cases named "gpu/..." are there where FLAB_CUDA_LIBRARY names the library for GPUs and it finds one; FLAB_PRODUCTS names the library
// of products.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>

#include "base/error.h"
#include "base/thread_pool.h"
#include "bench/bench.h"
#include "bench/gpu.h"
#include "cpu/kernels.h"

namespace flab::bench {
namespace {

double Seconds(const Case& c, const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(c.repeats);
}

// Largest resident memory since ResetPeak, in bytes; 0 where the system does not tell.
double PeakBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atof(line.c_str() + 6) * 1024;
  }
  return 0;
}

void ResetPeak() { std::ofstream("/proc/self/clear_refs") << 5; }

const char* NameOf(Limit limit) {
  constexpr const char* kNames[] = {"", "limit/copy", "limit/read", "limit/f32", "limit/bf16", "gpu/limit/copy", "gpu/limit/read", "gpu/limit/upload", "gpu/limit/f32", "gpu/limit/bf16"};
  return kNames[static_cast<int>(limit)];
}

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

void List(const std::vector<Case>& cases, const OpenedGpu& opened) {
  std::printf("{\"cpu\": \"%s\", \"threads\": %d, \"compiler\": \"%s\", \"models\": %s, \"gpu\": %s}\n", ActiveKernels().name,
              ThreadPool::Process().threads(), kCompiler, ModelsAsJson().c_str(), GpuAsJson(opened).c_str());
  for (const Case& c : cases) {
    std::printf("{\"name\": \"%s\", \"limit\": \"%s\", \"bytes\": %.0f, \"flops\": %.0f, \"tokens\": %.0f}\n", c.name.c_str(), NameOf(c.limit),
                c.bytes, c.flops, c.tokens);
  }
}

void Serve(const std::vector<Case>& cases) {
  std::function<void()> run;
  std::string prepared;
  for (std::string name; std::getline(std::cin, name);) {
    const auto found = std::find_if(cases.begin(), cases.end(), [&](const Case& c) { return c.name == name; });
    if (found == cases.end()) throw Error("ERR_BAD_ARGUMENT", "no case is called " + name);
    if (name != prepared) {
      run = nullptr;
      run = found->prepare();
      prepared = name;
      ResetPeak();
      std::printf("{\"prepared\": true}\n");
    } else {
      const std::clock_t start = std::clock();
      const double seconds = Seconds(*found, run);
      const double cpu_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      std::printf("{\"seconds\": %.9f, \"cpuSeconds\": %.6f, \"peakBytes\": %.0f}\n", seconds, cpu_seconds, PeakBytes());
    }
    std::fflush(stdout);
  }
}

void RunAll(const std::vector<Case>& cases, const std::string& part) {
  for (const Case& c : cases) {
    if (c.name.find(part) == std::string::npos) continue;
    const auto run = c.prepare();
    run();
    std::vector<double> times;
    for (double total = 0; times.size() < 2 || (times.size() < 15 && total < 2); total += times.back()) times.push_back(Seconds(c, run));
    std::sort(times.begin(), times.end());
    std::printf("%-44s median %10.3f ms  best %10.3f ms", c.name.c_str(), times[times.size() / 2] * 1e3, times[0] * 1e3);
    if (c.bytes) std::printf("  %7.2f GB/s", c.bytes / times[0] / 1e9);
    if (c.flops) std::printf("  %7.1f GFLOP/s", c.flops / times[0] / 1e9);
    if (c.tokens) std::printf("  %8.0f tokens/s", c.tokens / times[0]);
    std::printf("\n");
    std::fflush(stdout);
  }
}

int Main(int count, char** arguments) {
  std::vector<Case> cases;
  AddLimits(cases);
  AddProducts(cases);
  AddSlices(cases);
  AddDivergences(cases);
  AddNeurons(cases);
  AddModels(cases);
  const OpenedGpu opened = OpenGpu();
  if (opened.gpu) AddGpu(cases, opened.gpu);
  const std::string argument = count > 1 ? arguments[1] : "";
  if (argument == "--list") {
    List(cases, opened);
  } else if (argument == "--serve") {
    Serve(cases);
  } else {
    RunAll(cases, argument);
  }
  return 0;
}

}  // namespace

float Noise(uint64_t place) {
  uint64_t x = (place + 1) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  return static_cast<float>(static_cast<int32_t>(x)) * 0x1p-31f;
}

}  // namespace flab::bench

int main(int count, char** arguments) {
  try {
    return flab::bench::Main(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "flab_bench: %s\n", error.what());
    return 1;
  }
}
