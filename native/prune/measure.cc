#include "prune/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/memory.h"
#include "model/budget.h"
#include "model/decoder.h"
#include "model/head.h"

namespace flab {
namespace {

// Logits of both models: each part of the rows reads the LM heads again.
constexpr int64_t kLeastCompareBytes = int64_t{16} << 20, kMostCompareBytes = int64_t{128} << 20;

ModelView WholeModel(const Model& model) {
  ModelView view;
  view.layers.resize(model.spec.layers);
  std::iota(view.layers.begin(), view.layers.end(), 0);
  return view;
}

std::vector<int64_t> RowsOf(std::span<const Position> positions) {
  std::vector<int64_t> rows;
  for (const Position& position : positions) rows.push_back(position.row);
  return rows;
}

// out[rows, tokens]
void FillLogits(const Job& job, const Model& model, std::span<const uint32_t> tokens, const float* hidden, int64_t rows, float* out) {
  const int64_t vocabulary = static_cast<int64_t>(tokens.size());
  ForEachLogits(job, model, tokens, hidden, rows, 1, [&](const LogitsBlock& block) {
    for (int64_t i = 0; i < block.rows; ++i) {
      std::copy_n(block.row(i), block.columns, out + (block.first_row + i) * vocabulary + block.first_column);
    }
  });
}

Comparison CompareRow(const float* a, const float* b, int64_t count) {
  Comparison row;
  for (int64_t i = 0; i < count; ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    row.finite &= std::isfinite(difference);
    row.max_difference = std::max(row.max_difference, difference);
    row.max_logit = std::max(row.max_logit, std::fabs(static_cast<double>(a[i])));
    row.squared_difference += difference * difference;
    row.squared_logit += static_cast<double>(a[i]) * a[i];
  }
  row.same_top = std::max_element(a, a + count) - a == std::max_element(b, b + count) - b;
  row.positions = 1;
  return row;
}

void Add(const Comparison& part, Comparison& total) {
  total.finite &= part.finite;
  total.max_difference = std::max(total.max_difference, part.max_difference);
  total.max_logit = std::max(total.max_logit, part.max_logit);
  total.squared_difference += part.squared_difference;
  total.squared_logit += part.squared_logit;
  total.same_top += part.same_top;
  total.positions += part.positions;
}

// The hidden states of both models, and the state on its way.
int64_t CompareTokenBytes(const Model& model) { return 3 * model.spec.width * 4; }

int64_t MeasureTokenBytes(const Model& model, int64_t candidates) { return (candidates + 2) * model.spec.width * 4; }

}  // namespace

void FinalHidden(Job& job, const Model& model, const ModelView& view, const Texts& chunk, std::span<const int64_t> rows, bool last_only, int64_t batch_rows,
                 float* out, int64_t stride) {
  Decoder decoder(job, model, chunk, batch_rows);
  Buffer<float> x(chunk.tokens() * model.spec.width);
  decoder.Embed(x.data());
  for (size_t i = 0; i < view.layers.size(); ++i) {
    decoder.RunLayer(view.layers[i], x.data(), 1,
                     {.neurons = view.neurons.empty() ? nullptr : &view.neurons[i], .last_only = last_only && i + 1 == view.layers.size()});
  }
  decoder.FinalNorm(x.data(), rows, out, stride);
}

int64_t LeastMeasureBytes(const Model& model, const Texts& texts, int64_t candidates) { return LeastBytes(model, texts, MeasureTokenBytes(model, candidates)); }

int64_t LeastCompareBytes(const Model& model, const Texts& texts) { return LeastBytes(model, texts, CompareTokenBytes(model)) + kLeastCompareBytes; }

HeadSums Measure(Job& job, const Model& model, const std::vector<uint32_t>& tokens, const std::vector<ModelView>& candidates,
                 const Texts& texts, PositionKind kind, bool losses) {
  const int64_t states = 1 + static_cast<int64_t>(candidates.size()), width = model.spec.width;
  int64_t layers = model.spec.layers;
  for (const ModelView& candidate : candidates) layers += static_cast<int64_t>(candidate.layers.size());
  job.SetTotal(layers * texts.tokens());

  const std::vector<int32_t> columns = ColumnsOf(tokens, model.spec.vocabulary);
  const ModelView whole = WholeModel(model);
  HeadSums sums(states - 1);
  const bool last_only = kind == PositionKind::kLast && !losses;
  const Budget budget = PlanBudget(model, texts, MeasureTokenBytes(model, states - 1), "measuring");
  for (const Texts& chunk : Chunks(texts, budget.chunk_tokens)) {
    const std::vector<Position> positions = PositionsOf(chunk, kind, losses, columns);
    const std::vector<int64_t> rows = RowsOf(positions);
    Buffer<float> hidden(static_cast<int64_t>(rows.size()) * states * width);
    FinalHidden(job, model, whole, chunk, rows, last_only, budget.batch_rows, hidden.data(), states * width);
    for (int64_t i = 1; i < states; ++i) {
      FinalHidden(job, model, candidates[i - 1], chunk, rows, last_only, budget.batch_rows, hidden.data() + i * width, states * width);
    }
    const int64_t count = static_cast<int64_t>(positions.size()), piece = std::max<int64_t>(1, budget.head_rows / states);
    for (int64_t first = 0; first < count; first += piece) {
      AddHead(job, model, tokens, std::span(positions).subspan(first, std::min(piece, count - first)), hidden.data() + first * states * width, sums);
    }
  }
  return sums;
}

Buffer<float> Logits(Job& job, const Model& model, const ModelView& view, const Texts& texts, PositionKind kind) {
  const int64_t width = model.spec.width, vocabulary = static_cast<int64_t>(view.tokens.size());
  job.SetTotal(static_cast<int64_t>(view.layers.size()) * texts.tokens());
  const std::vector<Position> positions = PositionsOf(texts, kind, false, {});
  const std::vector<int64_t> rows = RowsOf(positions);
  Buffer<float> logits(static_cast<int64_t>(rows.size()) * vocabulary);
  const Budget budget = PlanBudget(model, texts, 2 * width * 4, "computing logits");
  Buffer<float> hidden(static_cast<int64_t>(rows.size()) * width);
  FinalHidden(job, model, view, texts, rows, kind == PositionKind::kLast, budget.batch_rows, hidden.data(), width);
  FillLogits(job, model, view.tokens, hidden.data(), static_cast<int64_t>(rows.size()), logits.data());
  return logits;
}

Comparison Compare(Job& job, const ComparedModel& a, const ComparedModel& b) {
  const int64_t vocabulary = static_cast<int64_t>(a.view.tokens.size());
  job.SetTotal(static_cast<int64_t>(a.view.layers.size() + b.view.layers.size()) * a.texts.tokens());
  const int64_t token_bytes = CompareTokenBytes(a.model);
  const Budget budget_a = PlanBudget(a.model, a.texts, token_bytes, "comparing"), budget_b = PlanBudget(b.model, b.texts, token_bytes, "comparing");
  const int64_t chunk_tokens = std::min(budget_a.chunk_tokens, budget_b.chunk_tokens);
  const int64_t compare_bytes = std::clamp(MemoryLeft() / 4, kLeastCompareBytes, kMostCompareBytes), piece = std::max<int64_t>(1, compare_bytes / (8 * std::max<int64_t>(1, vocabulary)));
  const std::vector<Texts> chunks_a = Chunks(a.texts, chunk_tokens), chunks_b = Chunks(b.texts, chunk_tokens);
  Comparison total;
  Buffer<float> left, right;
  for (size_t c = 0; c < chunks_a.size(); ++c) {
    const int64_t rows = chunks_a[c].tokens();
    std::vector<int64_t> all(rows);
    std::iota(all.begin(), all.end(), 0);
    Buffer<float> hidden_a(rows * a.model.spec.width), hidden_b(rows * b.model.spec.width);
    FinalHidden(job, a.model, a.view, chunks_a[c], all, false, budget_a.batch_rows, hidden_a.data(), a.model.spec.width);
    FinalHidden(job, b.model, b.view, chunks_b[c], all, false, budget_b.batch_rows, hidden_b.data(), b.model.spec.width);
    for (int64_t first = 0; first < rows; first += piece) {
      const int64_t count = std::min(piece, rows - first);
      FillLogits(job, a.model, a.view.tokens, hidden_a.data() + first * a.model.spec.width, count, left.Reserve(count * vocabulary));
      FillLogits(job, b.model, b.view.tokens, hidden_b.data() + first * b.model.spec.width, count, right.Reserve(count * vocabulary));
      std::vector<Comparison> parts(count);
      job.Parallel(count, [&](int64_t row) { parts[row] = CompareRow(left.data() + row * vocabulary, right.data() + row * vocabulary, vocabulary); });
      for (const Comparison& part : parts) Add(part, total);
    }
  }
  return total;
}

}  // namespace flab
