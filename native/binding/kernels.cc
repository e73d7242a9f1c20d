// The kernels over callers' tensors: a job reads and writes JavaScript memory where it is.

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "binding/calls.h"
#include "binding/jobs.h"
#include "binding/opened.h"
#include "binding/result.h"
#include "binding/values.h"
#include "cpu/divergence.h"
#include "cpu/kernels.h"
#include "cpu/slice.h"
#include "prune/neuron_scores.h"

namespace flab::binding {
namespace {

struct SliceInput {
  std::span<std::byte> data, out;
  int64_t rows, columns, item_bytes;
  std::vector<uint32_t> keep;
};

SliceInput ReadSlice(const Napi::CallbackInfo& info, bool by_rows) {
  SliceInput input{.data = BytesOf(info[0], "data"),
                   .out = BytesOf(info[4], "out"),
                   .rows = info[1].ToNumber().Int64Value(),
                   .columns = info[2].ToNumber().Int64Value(),
                   .item_bytes = info[5].IsNumber() ? info[5].ToNumber().Int64Value() : static_cast<int64_t>(info[0].As<Napi::TypedArray>().ElementSize()),
                   .keep = {}};
  if (input.item_bytes < 1) throw Error("ERR_BAD_ARGUMENT", "itemBytes: expected at least 1");
  input.keep = ReadIndices(info[3], by_rows ? input.rows : input.columns, "keep");
  const int64_t kept = Product({static_cast<int64_t>(input.keep.size()), by_rows ? input.columns : input.rows, input.item_bytes}, "out");
  if (static_cast<int64_t>(input.data.size()) != Product({input.rows, input.columns, input.item_bytes}, "data")) {
    throw Error("ERR_BAD_ARGUMENT", "data: expected rows x columns elements");
  }
  if (static_cast<int64_t>(input.out.size()) != kept) throw Error("ERR_BAD_ARGUMENT", "out: expected as many elements as are kept");
  RefuseOverlap(input.out, input.data, "matrix");
  return input;
}

// A matrix's memory, to be kept while a job reads it: its object could be given another array meanwhile.
void KeepData(const Napi::Value& matrix, std::vector<Napi::Object>& kept) {
  if (matrix.IsObject()) kept.push_back(matrix.As<Napi::Object>().Get("data").As<Napi::Object>());
}

void KeepOut(const Napi::Value& out, std::vector<Napi::Object>& kept) {
  if (out.IsObject()) kept.push_back(out.As<Napi::Object>());
}

std::span<const std::byte> Bytes(const Tensor& tensor) {
  return {tensor.data, static_cast<size_t>(tensor.rows * tensor.columns * ItemBytes(tensor.dtype))};
}

// Scores [rows, columns] of f32, f16 or bf16, or of f64, which no other kernel takes.
struct Scores {
  int64_t rows, columns;
  std::span<const std::byte> bytes;
  Tensor narrow;  // empty: f64

  std::vector<double> Row(int64_t row) const {
    std::vector<double> values(columns);
    if (narrow) {
      std::vector<float> floats(columns);
      Widen(narrow, row * columns, columns, floats.data());
      std::copy(floats.begin(), floats.end(), values.begin());
    } else if (columns > 0) {
      std::memcpy(values.data(), bytes.data() + row * columns * 8, columns * 8);
    }
    return values;
  }
};

Scores ReadScores(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("ERR_BAD_ARGUMENT", "scores: expected an object");
  const Napi::Object object = value.As<Napi::Object>();
  if (GetString(object, "dtype") != "F64") {
    const Tensor narrow = ReadMatrix(object);
    return {narrow.rows, narrow.columns, Bytes(narrow), narrow};
  }
  const Scores scores{GetInteger(object, "rows"), GetInteger(object, "columns"), BytesOf(object.Get("data"), "scores"), {}};
  if (static_cast<int64_t>(scores.bytes.size()) != Product({scores.rows, scores.columns, 8}, "scores")) {
    throw Error("ERR_BAD_ARGUMENT", "scores: expected rows x columns elements");
  }
  return scores;
}

// Every matrix that the metric needs, all of the same neurons.
void CheckNeurons(NeuronMetric metric, const Tensor& activations, const Tensor& down, const Tensor& gate, const Tensor& up) {
  const bool magnitude = metric == NeuronMetric::kMagnitude;
  const bool fits = magnitude ? gate && up && down && gate.rows == up.rows && gate.rows == down.columns
                              : activations && (metric == NeuronMetric::kActivation || (down && down.columns == activations.columns));
  if (!fits) throw Error("ERR_BAD_ARGUMENT", "neuronScores: expected the matrices that the metric needs, with the same neurons");
}

}  // namespace

Napi::Value StartSliceRows(const Napi::CallbackInfo& info) {
  auto work = [input = ReadSlice(info, true)](Job& job) {
    SliceRows(job, input.data.data(), input.columns * input.item_bytes, input.keep, input.out.data());
    return Nothing;
  };
  return StartJob(info.Env(), info.Env().Undefined(), {info[0].As<Napi::Object>(), info[4].As<Napi::Object>()}, std::move(work));
}

Napi::Value StartSliceColumns(const Napi::CallbackInfo& info) {
  auto work = [input = ReadSlice(info, false)](Job& job) {
    SliceColumns(job, input.data.data(), input.rows, input.columns, input.item_bytes, input.keep, input.out.data());
    return Nothing;
  };
  return StartJob(info.Env(), info.Env().Undefined(), {info[0].As<Napi::Object>(), info[4].As<Napi::Object>()}, std::move(work));
}

Napi::Value StartKlDivergence(const Napi::CallbackInfo& info) {
  const Tensor p = ReadMatrix(info[0]), q = ReadMatrix(info[1]);
  if (p.rows != q.rows || p.columns != q.columns) throw Error("ERR_BAD_ARGUMENT", "klDivergence: expected two matrices of the same shape");
  Result<double> result(info[2], napi_float64_array, p.rows);
  RefuseOverlap(result.bytes(), Bytes(p), "p");
  RefuseOverlap(result.bytes(), Bytes(q), "q");
  auto work = [p, q, result = std::move(result)](Job& job) mutable {
    double* divergences = result.Data();
    job.Parallel(p.rows, [&](int64_t row) { divergences[row] = RowDivergence(ActiveKernels(), p, q, row); });
    return result.ToAnswer();
  };
  std::vector<Napi::Object> kept;
  for (const size_t i : {0, 1}) KeepData(info[i], kept);
  KeepOut(info[2], kept);
  return StartJob(info.Env(), info.Env().Undefined(), kept, std::move(work));
}

Napi::Value StartNeuronScores(const Napi::CallbackInfo& info) {
  const Napi::Object input = ReadInput(info);
  const NeuronMetric metric = ReadMetric(input.Get("metric"));
  const Tensor activations = ReadMatrix(input.Get("activations")), down = ReadMatrix(input.Get("down"));
  const Tensor gate = ReadMatrix(input.Get("gate")), up = ReadMatrix(input.Get("up"));
  CheckNeurons(metric, activations, down, gate, up);
  Result<double> result(info[1], napi_float64_array, metric == NeuronMetric::kMagnitude ? gate.rows : activations.columns);
  RefuseOverlap(result.bytes(), Bytes(activations), "activations");
  RefuseOverlap(result.bytes(), Bytes(down), "down");
  RefuseOverlap(result.bytes(), Bytes(gate), "gate");
  RefuseOverlap(result.bytes(), Bytes(up), "up");
  auto work = [=, result = std::move(result)](Job& job) mutable {
    std::vector<double> scores;
    if (metric == NeuronMetric::kMagnitude) {
      scores = ScoreByMagnitude(job, gate, up, down);
    } else {
      const std::vector<double> down_squares = down ? ColumnSquares(job, down) : std::vector<double>(activations.columns);
      scores = ScoreByActivations(metric, SumActivations(job, activations), down_squares);
    }
    std::copy(scores.begin(), scores.end(), result.Data());
    return result.ToAnswer();
  };
  std::vector<Napi::Object> kept;
  for (const char* name : {"activations", "down", "gate", "up"}) KeepData(input.Get(name), kept);
  KeepOut(info[1], kept);
  return StartJob(info.Env(), info.Env().Undefined(), kept, std::move(work));
}

Napi::Value StartTopK(const Napi::CallbackInfo& info) {
  const Scores scores = ReadScores(info[0]);
  const int64_t count = info[1].ToNumber().Int64Value();
  if (count < 0 || count > scores.columns) throw Error("ERR_BAD_ARGUMENT", "count: expected 0 to " + std::to_string(scores.columns));
  Result<uint32_t> result(info[2], napi_uint32_array, Product({scores.rows, count}, "out"));
  RefuseOverlap(result.bytes(), scores.bytes, "scores");
  auto work = [scores, count, result = std::move(result)](Job& job) mutable {
    uint32_t* indices = result.Data();
    job.Parallel(scores.rows, [&](int64_t row) {
      const std::vector<double> values = scores.Row(row);
      if (std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); })) {
        throw Error("ERR_BAD_ARGUMENT", "scores: expected numbers, got NaN in row " + std::to_string(row));
      }
      TopK(values.data(), scores.columns, count, indices + row * count);
    });
    return result.ToAnswer();
  };
  std::vector<Napi::Object> kept;
  KeepData(info[0], kept);
  KeepOut(info[2], kept);
  return StartJob(info.Env(), info.Env().Undefined(), kept, std::move(work));
}

}  // namespace flab::binding
