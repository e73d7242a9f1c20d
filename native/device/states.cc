#include "device/states.h"

#include <algorithm>
#include <map>

namespace flab {
namespace {

// Batches that may be under way: enough to keep the device busy, few enough for a job to end soon when it is cancelled.
constexpr int64_t kBatchesUnderWay = 2;

FlabDtype DtypeOf(const Tensor& tensor) { return tensor.dtype == Dtype::kF32 ? FLAB_F32 : tensor.dtype == Dtype::kF16 ? FLAB_F16 : FLAB_BF16; }

}  // namespace

DeviceStates::DeviceStates(Job& job, DeviceContext& context, const Texts& texts, int64_t states, int64_t batch_rows)
    : job_(job),
      context_(context),
      texts_(texts),
      width_(context.model.spec.width),
      size_(texts.tokens() * width_),
      batch_rows_(batch_rows),
      states_(context.NewMemory<float>(states * size_, "allocating states")) {
  Divide();
}

// Cuts the texts into groups and sends what describes them.
void DeviceStates::Divide() {
  const int64_t tokens = texts_.tokens();
  states_a_batch_ = std::max<int64_t>(1, batch_rows_ / tokens);
  std::vector<FlabQueries> tiles, last_tiles;
  std::vector<int32_t> positions;
  std::vector<uint32_t> last_rows;
  for (int64_t text = 0; text < texts_.count(); ++text) {
    const int64_t row = texts_.offsets[text] - texts_.offsets[0], length = texts_.length(text);
    if (groups_.empty() || row + length - groups_.back().first_row > std::max(batch_rows_, length)) {
      groups_.push_back({row, 0, static_cast<int64_t>(tiles.size()), 0, text, 0});
    }
    Group& group = groups_.back();
    const auto first_row = static_cast<int32_t>(row - group.first_row), size = static_cast<int32_t>(length);
    for (int32_t query = 0; query < size; query += FLAB_QUERY_TILE) tiles.push_back({first_row, size, query});
    last_tiles.push_back({first_row, size, size - 1});
    for (int32_t position = 0; position < size; ++position) positions.push_back(position);
    group.rows += length;
    group.tiles = static_cast<int64_t>(tiles.size()) - group.first_tile;
    ++group.texts;
  }
  for (const Group& group : groups_) {
    most_rows_ = std::max(most_rows_, group.rows);
    most_texts_ = std::max(most_texts_, group.texts);
    // Several states go together only where one group has all texts.
    for (int64_t state = 0; state < states_a_batch_; ++state) {
      for (int64_t text = group.first_text; text < group.first_text + group.texts; ++text) {
        last_rows.push_back(static_cast<uint32_t>(state * group.rows + last_tiles[text].first_row + last_tiles[text].length - 1));
      }
    }
  }
  constexpr const char* kWhat = "sending the texts";
  tiles_ = context_.Sent(tiles, kWhat);
  last_tiles_ = context_.Sent(last_tiles, kWhat);
  positions_ = context_.Sent(positions, kWhat);
  last_rows_ = context_.Sent(last_rows, kWhat);
}

RowBatch DeviceStates::BatchOf(const Group& group, int64_t states) const {
  return {.states = states,
          .state_rows = group.rows,
          .tiles = tiles_.data<FlabQueries>() + group.first_tile,
          .tile_count = group.tiles,
          .last_tiles = last_tiles_.data<FlabQueries>() + group.first_text,
          .last_rows = last_rows_.data<uint32_t>() + group.first_text * states_a_batch_,
          .texts = group.texts,
          .positions = positions_.data<int32_t>() + group.first_row};
}

void DeviceStates::Embed(int64_t state) {
  // Each embedding that is used goes over once.
  const Tensor& table = context_.model.embedding;
  std::map<int32_t, int32_t> places;
  for (int64_t t = 0; t < texts_.tokens(); ++t) places[texts_.ids[texts_.offsets[0] + t]] = 0;
  std::vector<uint32_t> rows;
  for (auto& [id, place] : places) {
    place = static_cast<int32_t>(rows.size());
    rows.push_back(static_cast<uint32_t>(id));
  }
  std::vector<int32_t> ids(texts_.tokens());
  for (int64_t t = 0; t < texts_.tokens(); ++t) ids[t] = places[texts_.ids[texts_.offsets[0] + t]];
  constexpr const char* kWhat = "embedding";
  const DeviceMemory used = context_.NewMemory<char>(static_cast<int64_t>(rows.size()) * table.row_bytes(), kWhat), places_there = context_.Sent(ids, kWhat);
  context_.uploader.SendAll(job_, Uploads({StoredRowsUpload(table, rows, used.data())}));
  context_.Check(context_.backend().synchronize(context_.handle(), FLAB_UPLOAD), kWhat);
  context_.Check(context_.backend().embed(context_.handle(), used.data(), DtypeOf(table), places_there.data<int32_t>(), texts_.tokens(), width_, At(state)), kWhat);
}

void DeviceStates::Copy(int64_t from, int64_t to) { context_.Check(context_.backend().copy(context_.handle(), At(to), At(from), size_ * 4), "copying a state"); }

void DeviceStates::RunLayer(int64_t index, int64_t first, int64_t count, const LayerOptions& options) {
  const ModelSpec& spec = context_.model.spec;
  const int64_t neurons = spec.ffn_width;
  if (!pass_) {
    pass_ = std::make_unique<LayerPass>(context_, states_a_batch_ * most_rows_, states_a_batch_ * most_texts_, texts_.longest());
  }
  constexpr const char* kWhat = "running a layer";
  const uint8_t* const keep = options.neurons ? Kept(*options.neurons) : nullptr;
  DeviceMemory sums;
  if (options.sums) {
    sums = context_.NewMemory<double>(3 * neurons, kWhat);
    context_.Check(context_.backend().clear(context_.handle(), sums.data(), sums.bytes()), kWhat);
  }
  const DeviceLayer layer = context_.weights.Layer(job_, index);
  for (int64_t state = first; state < first + count; state += states_a_batch_) {
    const int64_t states = std::min(states_a_batch_, first + count - state);
    for (const Group& group : groups_) {
      Pace();
      pass_->Run(layer, spec.windows[index], BatchOf(group, states), At(state) + group.first_row * width_, options.last_only, keep, sums.data<double>());
      context_.Check(context_.backend().mark(context_.handle(), FLAB_COMPUTE, static_cast<int32_t>(kBatchEvents + batches_++ % kBatchesUnderWay)), kWhat);
      // A piece at a time, so that the batches that are under way do not run out meanwhile.
      context_.weights.PrefetchLayer(job_);
      job_.Advance(states * group.rows);
    }
  }
  if (!options.sums) return;
  std::vector<double> values(3 * neurons);
  context_.Check(context_.backend().download(context_.handle(), values.data(), sums.data(), sums.bytes()), kWhat);
  for (int64_t j = 0; j < neurons; ++j) {
    options.sums->sum[j] += values[j];
    options.sums->sum_abs[j] += values[neurons + j];
    options.sums->sum_squares[j] += values[2 * neurons + j];
  }
  options.sums->tokens += count * texts_.tokens();
}

// [F] 1 for neurons of the list, 0 for others; for what is put into the compute stream until the next call.
const uint8_t* DeviceStates::Kept(const std::vector<uint32_t>& neurons) {
  std::vector<uint8_t> kept(context_.model.spec.ffn_width);
  for (const uint32_t neuron : neurons) kept[neuron] = 1;
  if (!kept_) kept_ = context_.NewMemory<uint8_t>(static_cast<int64_t>(kept.size()), "running a layer");
  context_.uploader.Send(kept_.data(), kept);
  return kept_.data<uint8_t>();
}

// Waits for the batch before the last, so that progress is true and a cancelled job ends soon.
void DeviceStates::Pace() {
  job_.CheckCancelled();
  if (batches_ >= kBatchesUnderWay) {
    context_.Check(context_.backend().wait_here(context_.handle(), static_cast<int32_t>(kBatchEvents + batches_ % kBatchesUnderWay)), "computing");
  }
}

std::vector<double> DeviceStates::Cosines(int64_t a, int64_t b) {
  std::vector<double> cosines(texts_.tokens());
  const DeviceMemory there = context_.NewMemory<double>(texts_.tokens(), "comparing states");
  context_.Check(context_.backend().cosines(context_.handle(), At(a), At(b), texts_.tokens(), width_, there.data<double>()), "comparing states");
  context_.Check(context_.backend().download(context_.handle(), cosines.data(), there.data(), texts_.tokens() * 8), "comparing states");
  return cosines;
}

void DeviceStates::Read(int64_t first, int64_t count, float* out) {
  context_.Check(context_.backend().download(context_.handle(), out, At(first), count * size_ * 4), "reading states");
}

void DeviceStates::ReadRows(int64_t state, std::span<const int64_t> rows, float* out) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const DeviceMemory places = context_.Sent(std::vector<uint32_t>(rows.begin(), rows.end()), "reading rows"), there = context_.NewMemory<float>(count * width_, "reading rows");
  context_.Check(context_.backend().gather_rows(context_.handle(), At(state), width_ * 4, places.data<uint32_t>(), count, there.data()), "reading rows");
  context_.Check(context_.backend().download(context_.handle(), out, there.data(), count * width_ * 4), "reading rows");
}

void DeviceStates::Write(int64_t first, int64_t count, const float* from) { context_.uploader.Send(At(first), from, count * size_ * 4); }

}  // namespace flab
