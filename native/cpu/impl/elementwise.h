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
  int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Floats x = Load(head + i), y = Load(head + i + half), c = Load(cosine + i), s = Load(sine + i);
    Store(head + i, x * c - y * s);
    Store(head + i + half, y * c + x * s);
  }
  for (; i < half; ++i) {
    const float x = head[i], y = head[i + half];
    head[i] = x * cosine[i] - y * sine[i];
    head[i + half] = y * cosine[i] + x * sine[i];
  }
}

static float Softmax(float* scores, int64_t begin, int64_t end, int64_t first, int64_t last, float scale) {
  constexpr float kMasked = -3e38f;
  for (int64_t j = begin; j < first; ++j) scores[j] = kMasked;
  for (int64_t j = last + 1; j < end; ++j) scores[j] = kMasked;
  Floats lane_max = Splat(kMasked);
  for (int64_t j = begin; j < end; j += kLanes) lane_max = Max(lane_max, Load(scores + j));
  const float max = MaxLane(lane_max);
  Floats sums{};
  for (int64_t j = begin; j < end; j += kLanes) {
    const Floats x = Load(scores + j);
    const Floats p = x == kMasked ? Floats{} : Exp((x - max) * scale);
    sums += p;
    Store(scores + j, p);
  }
  return SumLanes(sums);
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
