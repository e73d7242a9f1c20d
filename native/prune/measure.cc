#include "prune/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/decoder.h"
#include "model/head.h"

namespace flab {
namespace {

constexpr int64_t kHiddenBytes = int64_t{256} << 20;   // hidden states of one chunk, all candidates
constexpr int64_t kCompareBytes = int64_t{64} << 20;   // logits of model a that wait for model b's

int64_t ChunkTokens(const Model& model, int64_t states) {
  return std::max<int64_t>(1, kHiddenBytes / ((states + 1) * model.spec.width * 4));
}

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

}  // namespace

void FinalHidden(Job& job, Model& model, const ModelView& view, const Texts& chunk, std::span<const int64_t> rows, float* out,
                 int64_t stride) {
  Decoder decoder(job, model, chunk);
  Buffer<float> x(chunk.tokens() * model.spec.width);
  decoder.Embed(x.data());
  for (size_t i = 0; i < view.layers.size(); ++i) {
    decoder.RunLayer(view.layers[i], x.data(), 1, {.neurons = view.neurons.empty() ? nullptr : &view.neurons[i]});
  }
  decoder.FinalNorm(x.data(), rows, out, stride);
}

HeadSums Measure(Job& job, Model& model, const std::vector<uint32_t>& tokens, const std::vector<ModelView>& candidates,
                 const Texts& texts, PositionKind kind, bool losses) {
  const int64_t states = 1 + static_cast<int64_t>(candidates.size()), width = model.spec.width;
  int64_t layers = model.spec.layers;
  for (const ModelView& candidate : candidates) layers += static_cast<int64_t>(candidate.layers.size());
  job.SetTotal(layers * texts.tokens());

  const std::vector<int32_t> columns = ColumnsOf(tokens, model.spec.vocabulary);
  const ModelView whole = WholeModel(model);
  HeadSums sums(states - 1);
  for (const Texts& chunk : Chunks(texts, ChunkTokens(model, states))) {
    const std::vector<Position> positions = PositionsOf(chunk, kind, losses, columns);
    const std::vector<int64_t> rows = RowsOf(positions);
    Buffer<float> hidden(static_cast<int64_t>(rows.size()) * states * width);
    FinalHidden(job, model, whole, chunk, rows, hidden.data(), states * width);
    for (int64_t i = 1; i < states; ++i) {
      FinalHidden(job, model, candidates[i - 1], chunk, rows, hidden.data() + i * width, states * width);
    }
    AddHead(job, model, tokens, positions, hidden.data(), sums);
  }
  return sums;
}

std::vector<float> Logits(Job& job, Model& model, const ModelView& view, const Texts& texts, PositionKind kind) {
  const int64_t width = model.spec.width, vocabulary = static_cast<int64_t>(view.tokens.size());
  job.SetTotal(static_cast<int64_t>(view.layers.size()) * texts.tokens());
  const std::vector<Position> positions = PositionsOf(texts, kind, false, {});
  const std::vector<int64_t> rows = RowsOf(positions);
  std::vector<float> logits(rows.size() * vocabulary);
  Buffer<float> hidden(static_cast<int64_t>(rows.size()) * width);
  FinalHidden(job, model, view, texts, rows, hidden.data(), width);
  ForEachLogits(job, model, view.tokens, hidden.data(), static_cast<int64_t>(rows.size()), 1, [&](const LogitsBlock& block) {
    for (int64_t i = 0; i < block.rows; ++i) {
      std::copy_n(block.row(i), block.columns, &logits[(block.first_row + i) * vocabulary + block.first_column]);
    }
  });
  return logits;
}

Comparison Compare(Job& job, const ComparedModel& a, const ComparedModel& b) {
  const int64_t vocabulary = static_cast<int64_t>(a.view.tokens.size());
  job.SetTotal(static_cast<int64_t>(a.view.layers.size() + b.view.layers.size()) * a.texts.tokens());
  const int64_t chunk_tokens = std::max<int64_t>(1, kCompareBytes / (vocabulary * 4));
  const std::vector<Texts> chunks_a = Chunks(a.texts, chunk_tokens), chunks_b = Chunks(b.texts, chunk_tokens);
  Comparison total;
  for (size_t c = 0; c < chunks_a.size(); ++c) {
    // Logits of whole chunks: a few texts at a time.
    const auto logits = [&](const ComparedModel& side, const Texts& chunk) {
      const int64_t width = side.model.spec.width, rows = chunk.tokens();
      std::vector<int64_t> all(rows);
      std::iota(all.begin(), all.end(), 0);
      Buffer<float> hidden(rows * width), out(rows * vocabulary);
      FinalHidden(job, side.model, side.view, chunk, all, hidden.data(), width);
      ForEachLogits(job, side.model, side.view.tokens, hidden.data(), rows, 1, [&](const LogitsBlock& block) {
        for (int64_t i = 0; i < block.rows; ++i) {
          std::copy_n(block.row(i), block.columns, out.data() + (block.first_row + i) * vocabulary + block.first_column);
        }
      });
      return out;
    };
    const Buffer<float> left = logits(a, chunks_a[c]), right = logits(b, chunks_b[c]);
    for (int64_t row = 0; row < chunks_a[c].tokens(); ++row) {
      const float* l = left.data() + row * vocabulary;
      const float* r = right.data() + row * vocabulary;
      for (int64_t i = 0; i < vocabulary; ++i) {
        const double difference = std::fabs(static_cast<double>(l[i]) - r[i]);
        total.finite &= std::isfinite(difference);
        total.max_difference = std::max(total.max_difference, difference);
        total.max_logit = std::max(total.max_logit, std::fabs(static_cast<double>(l[i])));
        total.squared_difference += difference * difference;
        total.squared_logit += static_cast<double>(l[i]) * l[i];
      }
      total.same_top += std::max_element(l, l + vocabulary) - l == std::max_element(r, r + vocabulary) - r;
      ++total.positions;
    }
  }
  return total;
}

}  // namespace flab
