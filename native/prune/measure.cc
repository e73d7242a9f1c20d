#include "prune/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/memory.h"
#include "model/engine.h"

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

// Sends the texts through a view; member `member` of `hidden` becomes its final hidden states at `rows`. last_only: they are last rows of texts.
void PutHidden(const ModelView& view, States& states, std::span<const int64_t> rows, bool last_only, Hidden& hidden, int64_t member) {
  states.Embed(0);
  for (size_t i = 0; i < view.layers.size(); ++i) {
    states.RunLayer(view.layers[i], 0, 1, {.neurons = view.NeuronsOf(i), .last_only = last_only && i + 1 == view.layers.size()});
  }
  hidden.Put(states, 0, rows, member);
}

}  // namespace

Demand MeasureDemand(const Model& model, const Texts& texts, int64_t candidates) { return model.engine().LeastDemand(texts, MeasureTokenBytes(model, candidates)); }

Demand CompareDemand(const Model& model, const Texts& texts) {
  Demand demand = model.engine().LeastDemand(texts, CompareTokenBytes(model));
  demand.host += kLeastCompareBytes;
  return demand;
}

HeadSums Measure(Job& job, const Model& model, const std::vector<uint32_t>& tokens, const std::vector<ModelView>& candidates,
                 const Texts& texts, PositionKind kind, bool losses) {
  const int64_t states = 1 + static_cast<int64_t>(candidates.size());
  int64_t layers = model.spec.layers;
  for (const ModelView& candidate : candidates) layers += static_cast<int64_t>(candidate.layers.size());
  job.SetTotal(layers * texts.tokens());

  const std::vector<int32_t> columns = ColumnsOf(tokens, model.spec.vocabulary);
  const ModelView whole = WholeModel(model);
  HeadSums sums(states - 1);
  const bool last_only = kind == PositionKind::kLast && !losses;
  const Budget budget = model.engine().Plan(texts, MeasureTokenBytes(model, states - 1), "measuring");
  for (const Texts& chunk : Chunks(texts, budget.chunk_tokens)) {
    const std::vector<Position> positions = PositionsOf(chunk, kind, losses, columns);
    const std::vector<int64_t> rows = RowsOf(positions);
    const auto hidden = model.engine().NewHidden(job, static_cast<int64_t>(rows.size()), states);
    {
      const auto state = model.engine().NewStates(job, chunk, 1, budget);
      PutHidden(whole, *state, rows, last_only, *hidden, 0);
      for (int64_t i = 1; i < states; ++i) PutHidden(candidates[i - 1], *state, rows, last_only, *hidden, i);
    }
    const int64_t count = static_cast<int64_t>(positions.size()), piece = std::max<int64_t>(1, budget.head_rows / states);
    for (int64_t first = 0; first < count; first += piece) {
      hidden->AddTo(tokens, first, std::span(positions).subspan(first, std::min(piece, count - first)), sums);
    }
  }
  return sums;
}

Buffer<float> Logits(Job& job, const Model& model, const ModelView& view, const Texts& texts, PositionKind kind) {
  const int64_t vocabulary = static_cast<int64_t>(view.tokens.size());
  job.SetTotal(static_cast<int64_t>(view.layers.size()) * texts.tokens());
  const std::vector<Position> positions = PositionsOf(texts, kind, false, {});
  const std::vector<int64_t> rows = RowsOf(positions);
  Buffer<float> logits(static_cast<int64_t>(rows.size()) * vocabulary);
  const Budget budget = model.engine().Plan(texts, 2 * model.spec.width * 4, "computing logits");
  const auto hidden = model.engine().NewHidden(job, static_cast<int64_t>(rows.size()), 1);
  PutHidden(view, *model.engine().NewStates(job, texts, 1, budget), rows, kind == PositionKind::kLast, *hidden, 0);
  hidden->Logits(view.tokens, 0, static_cast<int64_t>(rows.size()), logits.data());
  return logits;
}

Comparison Compare(Job& job, const ComparedModel& a, const ComparedModel& b) {
  const int64_t vocabulary = static_cast<int64_t>(a.view.tokens.size());
  job.SetTotal(static_cast<int64_t>(a.view.layers.size() + b.view.layers.size()) * a.texts.tokens());
  const int64_t token_bytes = CompareTokenBytes(a.model);
  const Budget budget_a = a.model.engine().Plan(a.texts, token_bytes, "comparing"), budget_b = b.model.engine().Plan(b.texts, token_bytes, "comparing");
  const int64_t chunk_tokens = std::min(budget_a.chunk_tokens, budget_b.chunk_tokens);
  const int64_t compare_bytes = std::clamp(MemoryLeft() / 4, kLeastCompareBytes, kMostCompareBytes), piece = std::max<int64_t>(1, compare_bytes / (8 * std::max<int64_t>(1, vocabulary)));
  const std::vector<Texts> chunks_a = Chunks(a.texts, chunk_tokens), chunks_b = Chunks(b.texts, chunk_tokens);
  Comparison total;
  Buffer<float> left, right;
  for (size_t c = 0; c < chunks_a.size(); ++c) {
    const int64_t rows = chunks_a[c].tokens();
    std::vector<int64_t> all(rows);
    std::iota(all.begin(), all.end(), 0);
    const auto hidden_a = a.model.engine().NewHidden(job, rows, 1), hidden_b = b.model.engine().NewHidden(job, rows, 1);
    PutHidden(a.view, *a.model.engine().NewStates(job, chunks_a[c], 1, budget_a), all, false, *hidden_a, 0);
    PutHidden(b.view, *b.model.engine().NewStates(job, chunks_b[c], 1, budget_b), all, false, *hidden_b, 0);
    for (int64_t first = 0; first < rows; first += piece) {
      const int64_t count = std::min(piece, rows - first);
      hidden_a->Logits(a.view.tokens, first, count, left.Reserve(count * vocabulary));
      hidden_b->Logits(b.view.tokens, first, count, right.Reserve(count * vocabulary));
      std::vector<Comparison> parts(count);
      job.Parallel(count, [&](int64_t row) { parts[row] = CompareRow(left.data() + row * vocabulary, right.data() + row * vocabulary, vocabulary); });
      for (const Comparison& part : parts) Add(part, total);
    }
  }
  return total;
}

}  // namespace flab
