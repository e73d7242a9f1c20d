#pragma once

#include "device/context.h"
#include "model/engine.h"

namespace flab {

// A model on a device. All weights are kept there if they fit beside the states, else they are streamed.
class DeviceEngine : public Engine {
 public:
  DeviceEngine(std::shared_ptr<Device> device, const Model& model) : context_(std::move(device), model) {}

  Demand LeastDemand(const Texts& texts, int64_t token_bytes) override;
  Budget Plan(const Texts& texts, int64_t token_bytes, const char* what) override;
  std::unique_ptr<States> NewStates(Job& job, const Texts& texts, int64_t states, const Budget& budget) override;
  std::unique_ptr<Hidden> NewHidden(Job& job, int64_t positions, int64_t group) override;
  std::unique_ptr<SavedStates> NewSavedStates(int64_t bytes) override;
  bool Shrink() override;

  bool keeps_weights() const { return context_.weights.keeps_all(); }

 private:
  // Bytes of the device for states and what works on them, those of saved states among them.
  int64_t Left();
  // Of those, what an operation takes at least.
  int64_t Least(const Texts& texts, int64_t token_bytes) const;

  DeviceContext context_;
  int64_t share_ = 1;  // of the memory that is left, one of so many parts is planned with
};

}  // namespace flab
