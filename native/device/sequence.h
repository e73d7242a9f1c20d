#pragma once

#include <cstdint>
#include <vector>

namespace flab {

// Guesses which part of a model is asked for next: the one that came after it the last time; at first the next, and the first after the last.
class Sequence {
 public:
  explicit Sequence(int64_t parts) : after_(parts) {
    for (int64_t i = 0; i < parts; ++i) after_[i] = (i + 1) % parts;
  }

  // A part is asked for; once more the same one says nothing.
  void Follow(int64_t part) {
    if (part == now_) return;
    if (now_ >= 0) after_[now_] = part;
    now_ = part;
  }
  // After the one that was asked for last.
  int64_t next() const { return after_[now_]; }

 private:
  std::vector<int64_t> after_;
  int64_t now_ = -1;
};

}  // namespace flab
