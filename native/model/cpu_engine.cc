#include "model/cpu_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/budget.h"
#include "model/decoder.h"
#include "model/head.h"
#include "model/spilled_states.h"

namespace flab {
namespace {

class CpuStates : public States {
 public:
  CpuStates(Job& job, const Model& model, const Texts& texts, int64_t states, int64_t batch_rows)
      : job_(job), width_(model.spec.width), size_(texts.tokens() * width_), decoder_(job, model, texts, batch_rows), states_(states * size_) {}

  int64_t size() const override { return size_; }
  void Embed(int64_t state) override { decoder_.Embed(At(state)); }
  void Copy(int64_t from, int64_t to) override { std::memcpy(At(to), At(from), size_ * sizeof(float)); }
  void RunLayer(int64_t layer, int64_t first, int64_t count, const LayerOptions& options) override { decoder_.RunLayer(layer, At(first), count, options); }

  std::vector<double> Cosines(int64_t a, int64_t b) override {
    const int64_t tokens = decoder_.tokens();
    constexpr int64_t kRows = 64;  // a task
    std::vector<double> cosines(tokens);
    job_.Parallel((tokens + kRows - 1) / kRows, [&](int64_t task) {
      for (int64_t t = task * kRows; t < std::min(tokens, (task + 1) * kRows); ++t) cosines[t] = Cosine(At(a) + t * width_, At(b) + t * width_, width_);
    });
    return cosines;
  }

  void Read(int64_t first, int64_t count, float* out) override { std::copy_n(At(first), count * size_, out); }
  void Write(int64_t first, int64_t count, const float* from) override { std::copy_n(from, count * size_, At(first)); }
  void ReadRows(int64_t state, std::span<const int64_t> rows, float* out) override {
    for (size_t i = 0; i < rows.size(); ++i) std::copy_n(At(state) + rows[i] * width_, width_, out + static_cast<int64_t>(i) * width_);
  }

  void FinalNorm(int64_t state, std::span<const int64_t> rows, float* out, int64_t stride) { decoder_.FinalNorm(At(state), rows, out, stride); }

 private:
  float* At(int64_t state) { return states_.data() + state * size_; }

  Job& job_;
  const int64_t width_, size_;
  Decoder decoder_;
  Buffer<float> states_;
};

class CpuHidden : public Hidden {
 public:
  CpuHidden(const Job& job, const Model& model, int64_t positions, int64_t group)
      : job_(job), model_(model), group_(group), width_(model.spec.width), rows_(positions * group * width_) {}

  void Put(States& states, int64_t state, std::span<const int64_t> rows, int64_t member) override {
    static_cast<CpuStates&>(states).FinalNorm(state, rows, At(0, member), group_ * width_);
  }

  void Write(int64_t member, int64_t count, const float* from) override {
    for (int64_t i = 0; i < count; ++i) std::copy_n(from + i * width_, width_, At(i, member));
  }

  void Read(int64_t member, int64_t count, float* out) override {
    for (int64_t i = 0; i < count; ++i) std::copy_n(At(i, member), width_, out + i * width_);
  }

  void AddTo(std::span<const uint32_t> tokens, int64_t first, std::span<const Position> positions, HeadSums& sums) override {
    AddHead(job_, model_, tokens, positions, At(first, 0), sums);
  }

  void Logits(std::span<const uint32_t> tokens, int64_t first, int64_t count, float* out) override {
    const int64_t vocabulary = static_cast<int64_t>(tokens.size());
    ForEachLogits(job_, model_, tokens, At(first, 0), count, 1, [&](const LogitsBlock& block) {
      for (int64_t i = 0; i < block.rows; ++i) std::copy_n(block.row(i), block.columns, out + (block.first_row + i) * vocabulary + block.first_column);
    });
  }

 private:
  float* At(int64_t position, int64_t member) { return rows_.data() + (position * group_ + member) * width_; }

  const Job& job_;
  const Model& model_;
  const int64_t group_, width_;
  Buffer<float> rows_;
};

}  // namespace

Demand CpuEngine::LeastDemand(const Texts& texts, int64_t token_bytes) { return {.host = LeastBytes(model_, texts, token_bytes)}; }

Budget CpuEngine::Plan(const Texts& texts, int64_t token_bytes, const char* what) { return PlanBudget(model_, texts, token_bytes, what); }

std::unique_ptr<States> CpuEngine::NewStates(Job& job, const Texts& texts, int64_t states, const Budget& budget) {
  return std::make_unique<CpuStates>(job, model_, texts, states, budget.batch_rows);
}

std::unique_ptr<SavedStates> CpuEngine::NewSavedStates(int64_t bytes) {
  auto file = Spill::Open(bytes);
  return file ? std::make_unique<SpilledStates>(std::move(file)) : nullptr;
}

std::unique_ptr<Hidden> CpuEngine::NewHidden(Job& job, int64_t positions, int64_t group) { return std::make_unique<CpuHidden>(job, model_, positions, group); }

}  // namespace flab
