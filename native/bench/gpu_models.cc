// A model of 7B shape with random weights on a GPU: KL through the LM head, forward passes, a sweep of the layer search.

#include "bench/gpu.h"
#include "bench/random_model.h"
#include "device/engine.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"

namespace flab::bench {

Shape LargeShape(const Gpu& gpu) {
  if (gpu.is_emulated) return {"tiny", 64, 3, 4, 2, 96, 300, true};
  return {"codeqwen-7b", 4096, 32, 32, 4, 13440, 92416, true};
}

int64_t HeadTokens(const Gpu& gpu) { return gpu.is_emulated ? 12 : 256; }

namespace {

std::shared_ptr<Model> OnGpu(const GpuPointer& gpu, const Shape& shape, LayerMemory layers) {
  auto model = MakeModel(shape, Compute::kBF16, layers);
  model->UseEngine(std::make_unique<DeviceEngine>(gpu->device, *model));
  return model;
}

// What a case's runs need, in the order in which it is made.
struct HeadOperands {
  HeadOperands(const GpuPointer& gpu, const Shape& shape) : model(OnGpu(gpu, shape, LayerMemory::kNone)), view(Whole(*model)) {
    const int64_t group = 1 + kHeadCandidates, tokens = HeadTokens(*gpu);
    hidden = model->engine().NewHidden(job, tokens, group);
    std::vector<float> rows(tokens * shape.width);
    for (int64_t member = 0; member < group; ++member) {
      for (size_t i = 0; i < rows.size(); ++i) rows[i] = 1.7f * Noise(i) + 0.17f * Noise(~(i + member * rows.size()));
      hidden->Write(member, tokens, rows.data());
    }
    for (int64_t i = 0; i < tokens; ++i) positions.push_back({i, true, -1});
  }
  Job job;
  std::shared_ptr<Model> model;
  ModelView view;
  std::unique_ptr<Hidden> hidden;
  std::vector<Position> positions;
};

Case Head(const GpuPointer& gpu) {
  const Shape shape = LargeShape(*gpu);
  return {.name = "gpu/kl-head/bf16/" + std::to_string(shape.width) + "x" + std::to_string(shape.vocabulary) + "/" + std::to_string(HeadTokens(*gpu)) + " tokens/" +
                  std::to_string(kHeadCandidates) + " candidates",
          .limit = Limit::kGpuBF16,
          .flops = 2.0 * (kHeadCandidates + 1) * HeadTokens(*gpu) * shape.width * shape.vocabulary,
          .prepare = [=]() -> std::function<void()> {
            auto operands = std::make_shared<HeadOperands>(gpu, shape);
            return [=] {
              HeadSums sums(kHeadCandidates);
              operands->hidden->AddTo(operands->view.tokens, 0, operands->positions, sums);
            };
          }};
}

struct Operands {
  Operands(const GpuPointer& gpu, const Shape& shape, int64_t count, int64_t length)
      : model(OnGpu(gpu, shape, LayerMemory::kOfOneForAll)), view(Whole(*model)), texts(count, length, shape.vocabulary) {}
  std::shared_ptr<Model> model;
  ModelView view;
  SomeTexts texts;
};

std::string Size(int64_t texts, int64_t length) { return std::to_string(texts) + "x" + std::to_string(length) + "/"; }

// All layers for all tokens, and no logits.
void RunStates(const Operands& operands) {
  Job job;
  const Texts texts = operands.texts.texts();
  Engine& engine = operands.model->engine();
  const auto states = engine.NewStates(job, texts, 1, engine.Plan(texts, operands.model->spec.width * 4, "a benchmark"));
  states->Embed(0);
  for (int64_t i = 0; i < operands.model->spec.layers; ++i) states->RunLayer(i, 0, 1, {});
  const std::vector<int64_t> last = {texts.tokens() - 1};
  std::vector<float> row(operands.model->spec.width);
  states->ReadRows(0, last, row.data());  // waits for everything before it
}

void RunLogits(const Operands& operands, PositionKind kind) {
  Job job;
  Logits(job, *operands.model, operands.view, operands.texts.texts(), kind);
}

Case Forward(const GpuPointer& gpu, const char* wanted, int64_t texts, int64_t length, int64_t head_tokens, std::function<void(const Operands&)> run) {
  const Shape shape = LargeShape(*gpu);
  return {.name = std::string("gpu/forward/bf16/") + shape.name + "/" + Size(texts, length) + wanted,
          .limit = Limit::kGpuBF16,
          .flops = ForwardFlops(shape, texts, length, head_tokens),
          .tokens = 1.0 * texts * length,
          .prepare = [=]() -> std::function<void()> {
            auto operands = std::make_shared<Operands>(gpu, shape, texts, length);
            return [=] { run(*operands); };
          }};
}

Case Sweep(const GpuPointer& gpu, int64_t texts, int64_t length) {
  const Shape shape = LargeShape(*gpu);
  return {.name = std::string("gpu/sweep/bf16/") + shape.name + "/" + Size(texts, length) + "last positions",
          .limit = Limit::kGpuBF16,
          .flops = SweepFlops(shape, texts, length, 1),
          .tokens = 1.0 * texts * length,
          .prepare = [=]() -> std::function<void()> {
            auto operands = std::make_shared<Operands>(gpu, shape, texts, length);
            return [=] {
              Job job;
              ScoreLayers(job, *operands->model, operands->view, operands->texts.texts(), {});
            };
          }};
}

}  // namespace

void AddGpuModels(std::vector<Case>& cases, const GpuPointer& gpu) {
  const int64_t texts = gpu->is_emulated ? 2 : 8, length = gpu->is_emulated ? 9 : 512;
  cases.push_back(Head(gpu));
  cases.push_back(Forward(gpu, "states", texts, length, 0, RunStates));
  cases.push_back(Forward(gpu, "last logits", texts, length, 1, [](const Operands& operands) { RunLogits(operands, PositionKind::kLast); }));
  cases.push_back(Forward(gpu, "all logits", texts, length, length, [](const Operands& operands) { RunLogits(operands, PositionKind::kAll); }));
  // A quarter of a small search: a sweep's time grows with the tokens. The whole one takes minutes with what it is compared with.
  cases.push_back(Sweep(gpu, 2 * texts, length));
  if (!gpu->is_emulated) cases.push_back(Sweep(gpu, 8 * texts, length));
}

}  // namespace flab::bench
