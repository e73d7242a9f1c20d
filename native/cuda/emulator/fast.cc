// Instructions that are fast and not exact: what the PTX manual says of ex2.approx.ftz.f32.

#include <cmath>
#include <limits>

#include "cuda/emulator/emulator.h"

namespace flab::emulator {

float Exp2(float x) {
  constexpr uint32_t kMostOff = 2;  // units in the last place
  float result = std::exp2(x);
  if (!std::isfinite(result) || x == 0) return result;
  if (result < std::numeric_limits<float>::min()) return 0;
  uint32_t number, bits;
  std::memcpy(&number, &x, 4);
  std::memcpy(&bits, &result, 4);
  bits += (number * 2654435761u >> 16) % (2 * kMostOff + 1) - kMostOff;  // the same for the same x
  std::memcpy(&result, &bits, 4);
  return result < std::numeric_limits<float>::min() ? 0 : result;
}

}  // namespace flab::emulator
