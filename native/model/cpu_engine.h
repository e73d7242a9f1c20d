#pragma once

#include "model/engine.h"

namespace flab {

// The CPU: states in memory, layers by Decoder, the LM head in blocks.
class CpuEngine : public Engine {
 public:
  explicit CpuEngine(const Model& model) : model_(model) {}

  Demand LeastDemand(const Texts& texts, int64_t token_bytes) override;
  Budget Plan(const Texts& texts, int64_t token_bytes, const char* what) override;
  std::unique_ptr<States> NewStates(Job& job, const Texts& texts, int64_t states, const Budget& budget) override;
  std::unique_ptr<Hidden> NewHidden(Job& job, int64_t positions, int64_t group) override;
  std::unique_ptr<SavedStates> NewSavedStates(int64_t bytes) override;

 private:
  const Model& model_;
};

}  // namespace flab
