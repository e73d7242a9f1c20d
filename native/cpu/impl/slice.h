// Items of a row moved together, a window at a time.

namespace flab::FLAB_ISA {

static void StorePastCaches(const std::byte* lines, int64_t bytes, std::byte* to) {
#if defined(__AVX512F__)
  for (int64_t i = 0; i < bytes; i += 64) _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_load_si512(lines + i));
#elif defined(__AVX2__)
  for (int64_t i = 0; i < bytes; i += 32) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i), _mm256_load_si256(reinterpret_cast<const __m256i*>(lines + i)));
  }
#elif defined(__SSE2__)
  for (int64_t i = 0; i < bytes; i += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_load_si128(reinterpret_cast<const __m128i*>(lines + i)));
  }
#else
  __builtin_memcpy(to, lines, bytes);
#endif
}

#if defined(__AVX2__)
// The two halves of the window are shuffled apart; an index into the other half becomes negative, which gives zero.
static inline __m128i Pick(const std::byte* window, const uint8_t* pattern) {
  const __m256i items = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(window));
  const __m256i places = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pattern)));
  const __m256i halves = _mm256_set_m128i(_mm_set1_epi8(-16), _mm_set1_epi8(0x70));
  const __m256i picked = _mm256_shuffle_epi8(items, _mm256_add_epi8(places, halves));
  return _mm_or_si128(_mm256_castsi256_si128(picked), _mm256_extracti128_si256(picked, 1));
}
#elif defined(__aarch64__)
static inline uint8x16_t Pick(const std::byte* window, const uint8_t* pattern) {
  return vqtbl2q_u8(vld1q_u8_x2(reinterpret_cast<const uint8_t*>(window)), vld1q_u8(pattern));
}
#endif

#if defined(__AVX2__) || defined(__aarch64__)
static std::byte* GatherNarrow(const std::byte* row, const GatherStep* steps, const uint8_t* patterns, int64_t count, std::byte* out) {
  for (int64_t i = 0; i < count; ++i) {
    const auto items = Pick(row + steps[i].from, patterns + i * 16);
    __builtin_memcpy(out, &items, 16);
    out += steps[i].bytes;
  }
  return out;
}
constexpr Gather kGatherNarrow{32, 16, 1, GatherNarrow};
#else
constexpr Gather kGatherNarrow{};
#endif

#ifdef __AVX512BW__
// Two vectors of items make one: with half of them kept, every store is a whole vector of the result.
static std::byte* GatherWide(const std::byte* row, const GatherStep* steps, const uint8_t* patterns, int64_t count, std::byte* out) {
  for (int64_t i = 0; i < count; ++i) {
    const std::byte* window = row + steps[i].from;
    const __m512i pattern = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(patterns + i * 32)));
    const __m512i low = _mm512_loadu_si512(window), high = _mm512_loadu_si512(window + 64);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi16(low, pattern, high));
    out += steps[i].bytes;
  }
  return out;
}
constexpr Gather kGatherWide{128, 64, 2, GatherWide};
#else
constexpr Gather kGatherWide{};
#endif

}  // namespace flab::FLAB_ISA
