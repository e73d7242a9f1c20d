#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// Benchmarks of the core. A case is one operation on one shape; what it is timed against is the peer's business.

namespace flab::bench {

// What an operation's speed is a share of: the machine's own limits, measured by the cases named "limit/...".
enum class Limit { kNone, kCopy, kRead, kF32, kBF16 };

struct Case {
  std::string name;    // operation/shape, unique; a peer's case has the same name
  Limit limit = Limit::kNone;
  double bytes = 0;    // read and written by one run; 0: not counted
  double flops = 0;    // of one run; 0: not counted
  double tokens = 0;   // of one run; 0: not counted
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

// A number in [-1, 1) from its place alone: the same on every machine, cheap.
float Noise(uint64_t place);

}  // namespace flab::bench
