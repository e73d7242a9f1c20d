#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// Benchmarks of the core. A case is one operation on one shape; what it is timed against is the peer's business.

namespace flab::bench {

// What an operation's speed is a share of: the machine's own limits, measured by the cases named "limit/...", and a GPU's, by those named
// "gpu/limit/...".
enum class Limit { kNone, kCopy, kRead, kF32, kBF16, kGpuCopy, kGpuRead, kGpuUpload, kGpuF32, kGpuBF16 };

struct Case {
  std::string name;    // operation/shape, unique; a peer's case has the same name
  Limit limit = Limit::kNone;
  double bytes = 0;    // that the operation reads and writes; 0: not counted
  double flops = 0;    // of the operation; 0: not counted
  double tokens = 0;   // of the operation; 0: not counted
  int64_t repeats = 1; // of the operation in one run, where it is too short to be timed alone; seconds are told of one
  // Allocates, fills and returns the operation; what it returns is timed.
  std::function<std::function<void()>()> prepare;
};

// Each file's cases.
void AddLimits(std::vector<Case>& cases);
void AddProducts(std::vector<Case>& cases);
void AddSlices(std::vector<Case>& cases);
void AddDivergences(std::vector<Case>& cases);
void AddNeurons(std::vector<Case>& cases);
void AddModels(std::vector<Case>& cases);

// The shapes of the models that AddModels has cases of, as a JSON list.
std::string ModelsAsJson();

// `keep` of `count` indices, ascending, evenly spread at random.
std::vector<uint32_t> Keep(int64_t count, int64_t keep);

// A number in [-1, 1) from its place alone: the same on every machine, cheap.
float Noise(uint64_t place);

}  // namespace flab::bench
