#pragma once

#include <memory>
#include <utility>

#include "base/spill.h"
#include "model/engine.h"

namespace flab {

// States in a temporary file.
class SpilledStates : public SavedStates {
 public:
  explicit SpilledStates(std::unique_ptr<Spill> file) : file_(std::move(file)) {}

  int64_t Save(States& states, int64_t first, int64_t count) override;
  void Load(int64_t place, States& states, int64_t first, int64_t count) override;

 private:
  const std::unique_ptr<Spill> file_;
};

}  // namespace flab
