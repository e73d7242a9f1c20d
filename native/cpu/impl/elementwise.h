// Row operations around the matrix products: normalisation, rotation, gating, rounding to bf16.

namespace flab::FLAB_ISA {

static void RmsNorm(const float* in, const float* weight, int64_t count, float eps, float* out) {
  Floats squares{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) squares += Load(in + i) * Load(in + i);
  float sum = SumLanes(squares);
  for (; i < count; ++i) sum += in[i] * in[i];
  const float scale = 1 / __builtin_sqrtf(sum / static_cast<float>(count) + eps);
  for (i = 0; i + kLanes <= count; i += kLanes) Store(out + i, Load(in + i) * scale * Load(weight + i));
  for (; i < count; ++i) out[i] = in[i] * scale * weight[i];
}

static void Swiglu(const float* gate, const float* up, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats g = Load(gate + i);
    Store(out + i, g / (1 + Exp(-g)) * Load(up + i));
  }
  for (; i < count; ++i) {
    const float g = gate[i];
    out[i] = g / (1 + Exp(Splat(-g))[0]) * up[i];
  }
}

static void Rotate(float* head, const float* cosine, const float* sine, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float x = head[i], y = head[i + half];
    head[i] = x * cosine[i] - y * sine[i];
    head[i + half] = y * cosine[i] + x * sine[i];
  }
}

// Round to nearest even; a NaN stays a NaN.
static void ToBF16(const float* in, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, in + i, 4);
    const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
    out[i] = static_cast<uint16_t>(((bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : rounded) >> 16);
  }
}

}  // namespace flab::FLAB_ISA
