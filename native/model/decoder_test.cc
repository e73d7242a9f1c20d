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
  // Tasks are 2048 queries, counted from the end: from 1, 2049 and 53, 2101 on.
  for (const int32_t length : {4097, 4149}) {
    const SomeTexts whole({3, length});
    const std::vector<float> states = Run(*model, whole.texts());
    for (const int32_t part : {1, 52, 53, 54, 2048, 2100, 2101, 4096}) {
      const SomeTexts begun({3, part});
      const std::vector<float> expected = Run(*model, begun.texts());
      EXPECT(std::memcmp(states.data(), expected.data(), expected.size() * sizeof(float)) == 0, part, " of ", length, " tokens");
    }
    const std::vector<float> last = Run(*model, whole.texts(), true);
    EXPECT(std::memcmp(&states[(length + 2) * width], &last[(length + 2) * width], width * sizeof(float)) == 0, length, " tokens");
  }
}

}  // namespace
}  // namespace flab
