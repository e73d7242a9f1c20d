#include "model/decoder.h"

#include <cstring>

#include "model/testing_model.h"

namespace flab {
namespace {

using testing_model::SomeTexts;

// The states of texts after all layers; the last layer on last rows only, if asked.
std::vector<float> Run(const Model& model, const Texts& texts, bool last_only = false) {
  Job job;
  Decoder decoder(job, model, texts);
  std::vector<float> x(texts.tokens() * model.spec.width);
  decoder.Embed(x.data());
  for (int64_t i = 0; i < model.spec.layers; ++i) decoder.RunLayer(i, x.data(), 1, {.last_only = last_only && i + 1 == model.spec.layers});
  return x;
}

TEST("a text of several tasks has the states of its beginnings, to the bit, and its last row is that of a run for last rows") {
  const auto model = testing_model::TheTiny().Open();
  const int64_t width = model->spec.width;
  // Tasks are 2048 queries, counted from the end: the last one begins at 53.
  constexpr int32_t kLength = 2101;
  const SomeTexts whole({3, kLength});
  const std::vector<float> states = Run(*model, whole.texts());
  for (const int32_t part : {53, 54, 700}) {
    const SomeTexts begun({3, part});
    const std::vector<float> expected = Run(*model, begun.texts());
    EXPECT(std::memcmp(states.data(), expected.data(), expected.size() * sizeof(float)) == 0, part, " of ", kLength, " tokens");
  }
  const std::vector<float> last = Run(*model, whole.texts(), true);
  EXPECT(std::memcmp(&states[(kLength + 2) * width], &last[(kLength + 2) * width], width * sizeof(float)) == 0);
}

}  // namespace
}  // namespace flab
