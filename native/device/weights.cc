#include "device/weights.h"

#include <algorithm>

namespace flab {
namespace {

constexpr int64_t kAlignment = 256;  // bytes, of each matrix: what the fastest products ask for
// What a device's memory is handed out in. Less than that shares a block with others.
constexpr int64_t kBlockBytes = int64_t{2} << 20;

int64_t RoundedUp(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

int64_t InBlocks(int64_t bytes) { return bytes < kBlockBytes ? bytes : RoundedUp(bytes, kBlockBytes); }

int64_t ItemBytesOf(const Model& model) { return ItemBytes(model.format.compute()); }

int64_t QkvWidth(const ModelSpec& spec) { return spec.query_width() + 2 * spec.kv_width(); }

// Of the head at a time: enough for products that fill a device, little beside a layer of the same model.
constexpr int64_t kMostPartBytes = int64_t{64} << 20, kMostPartRows = 32768;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// As few parts as that allows, of about the same size.
int64_t PartRows(const Model& model) {
  const int64_t most = std::clamp(kMostPartBytes / (model.spec.width * ItemBytesOf(model)), int64_t{FLAB_PIECE}, kMostPartRows);
  const int64_t parts = CeilDivide(model.spec.vocabulary, most);
  return CeilDivide(CeilDivide(model.spec.vocabulary, parts), FLAB_PIECE) * FLAB_PIECE;
}

// Hands out memory piece by piece; with no memory, only their sum counts.
class Layout {
 public:
  explicit Layout(void* memory) : memory_(static_cast<char*>(memory)) {}
  void* Take(int64_t bytes) {
    void* taken = memory_ ? memory_ + bytes_ : nullptr;
    bytes_ += RoundedUp(bytes, kAlignment);
    return taken;
  }
  float* Vector(const Tensor& present, int64_t size) { return present ? static_cast<float*>(Take(size * 4)) : nullptr; }
  int64_t bytes() const { return bytes_; }

 private:
  char* memory_;
  int64_t bytes_ = 0;
};

const Tensor& Any(const Tensor& a, const Tensor& b, const Tensor& c = {}) { return a ? a : b ? b : c; }

DeviceLayer Place(const Model& model, const LayerWeights& w, Layout& layout) {
  const ModelSpec& s = model.spec;
  const int64_t item = ItemBytesOf(model), d = s.width, f = s.ffn_width;
  return {.qkv = layout.Take(QkvWidth(s) * d * item),
          .output = layout.Take(d * s.query_width() * item),
          .gate_up = layout.Take(2 * f * d * item),
          .down = layout.Take(d * f * item),
          .input_norm = layout.Vector(w.input_norm, d),
          .qkv_bias = layout.Vector(Any(w.query_bias, w.key_bias, w.value_bias), QkvWidth(s)),
          .output_bias = layout.Vector(w.output_bias, d),
          .query_norm = layout.Vector(w.query_norm, s.head_width),
          .key_norm = layout.Vector(w.key_norm, s.head_width),
          .ffn_norm = layout.Vector(w.ffn_norm, d),
          .gate_up_bias = layout.Vector(Any(w.gate_bias, w.up_bias), 2 * f),
          .down_bias = layout.Vector(w.down_bias, d)};
}

}  // namespace

DeviceWeights::DeviceWeights(std::shared_ptr<Device> device, const Model& model, Uploader& uploader)
    : device_(std::move(device)), model_(model), uploader_(uploader), part_rows_(PartRows(model)), sequence_(model.spec.layers) {
  Keep(true);
}

int64_t DeviceWeights::layer_bytes() const {
  int64_t most = 0;
  for (const LayerWeights& layer : model_.layers) {
    Layout layout(nullptr);
    Place(model_, layer, layout);
    most = std::max(most, layout.bytes());
  }
  return InBlocks(most);
}

int64_t DeviceWeights::part_bytes() const { return InBlocks(part_rows_ * model_.spec.width * ItemBytesOf(model_)); }

int64_t DeviceWeights::whole_bytes() const {
  const int64_t parts = CeilDivide(model_.spec.vocabulary, part_rows_);
  return model_.spec.layers * layer_bytes() + parts * part_bytes() + norm_bytes();
}

int64_t DeviceWeights::least_bytes() const { return 2 * (layer_bytes() + part_bytes()) + norm_bytes(); }

int64_t DeviceWeights::norm_bytes() const { return model_.spec.width * 4; }

int64_t DeviceWeights::pending_bytes() const {
  const int64_t taken = layers_->taken_bytes() + (head_ ? head_->taken_bytes() : 0) + final_norm_.bytes();
  return std::max<int64_t>(0, (keeps_all_ ? whole_bytes() : least_bytes()) - taken);
}

void DeviceWeights::Keep(bool all) {
  keeps_all_ = all;
  head_.reset();
  tokens_.clear();
  layers_.reset();
  const int64_t layers = model_.spec.layers;
  layers_.emplace(uploader_, layers, all ? layers : std::min<int64_t>(2, layers), layer_bytes(), kLayerEvents, "uploading a layer",
                  [this](int64_t index, void* to) { return LayerUploads(index, to); });
}

DeviceLayer DeviceWeights::Layer(const Job& job, int64_t index) {
  sequence_.Follow(index);
  Layout layout(layers_->Get(job, index));
  return Place(model_, model_.layers[index], layout);
}

void DeviceWeights::PrefetchLayer(const Job& job) { layers_->Prefetch(job, sequence_.next()); }

Uploads DeviceWeights::LayerUploads(int64_t index, void* memory) const {
  const LayerWeights& w = model_.layers[index];
  const ModelSpec& s = model_.spec;
  const Compute compute = model_.format.compute();
  Layout layout(memory);
  const DeviceLayer to = Place(model_, w, layout);
  const int64_t item = ItemBytesOf(model_);
  std::vector<Upload> all;
  const auto matrix = [&](const Tensor& from, void* first, int64_t row) {
    all.push_back(WholeUpload(from, compute, static_cast<char*>(first) + row * from.columns * item));
  };
  matrix(w.query, to.qkv, 0);
  matrix(w.key, to.qkv, s.query_width());
  matrix(w.value, to.qkv, s.query_width() + s.kv_width());
  matrix(w.output, to.output, 0);
  matrix(w.gate, to.gate_up, 0);
  matrix(w.up, to.gate_up, s.ffn_width);
  matrix(w.down, to.down, 0);
  // Parts of stacked biases that a family does not have are zero.
  const auto vector = [&](float* first, int64_t offset, const Tensor& from, int64_t size) {
    if (first) all.push_back(from ? WholeUpload(from, Compute::kF32, first + offset) : ZerosUpload(size * 4, first + offset));
  };
  vector(to.input_norm, 0, w.input_norm, s.width);
  vector(to.qkv_bias, 0, w.query_bias, s.query_width());
  vector(to.qkv_bias, s.query_width(), w.key_bias, s.kv_width());
  vector(to.qkv_bias, s.query_width() + s.kv_width(), w.value_bias, s.kv_width());
  vector(to.output_bias, 0, w.output_bias, s.width);
  vector(to.query_norm, 0, w.query_norm, s.head_width);
  vector(to.key_norm, 0, w.key_norm, s.head_width);
  vector(to.ffn_norm, 0, w.ffn_norm, s.width);
  vector(to.gate_up_bias, 0, w.gate_bias, s.ffn_width);
  vector(to.gate_up_bias, s.ffn_width, w.up_bias, s.ffn_width);
  vector(to.down_bias, 0, w.down_bias, s.width);
  return Uploads(std::move(all));
}

void DeviceWeights::SetHead(std::span<const uint32_t> tokens) {
  if (head_ && std::equal(tokens.begin(), tokens.end(), tokens_.begin(), tokens_.end())) return;
  head_.reset();
  tokens_.assign(tokens.begin(), tokens.end());
  const int64_t parts = CeilDivide(static_cast<int64_t>(tokens.size()), part_rows_);
  head_.emplace(uploader_, parts, keeps_all_ ? parts : std::min<int64_t>(2, parts), part_bytes(), kHeadEvents, "uploading the LM head", [this](int64_t part, void* to) {
    const auto rows = std::span(tokens_).subspan(part * part_rows_);
    return Uploads({RowsUpload(model_.head, rows.first(std::min<size_t>(part_rows_, rows.size())), model_.format.compute(), to)});
  });
}

void DeviceWeights::ForEachHeadPart(const Job& job, std::span<const uint32_t> tokens, const std::function<void(const HeadRows&)>& use) {
  SetHead(tokens);
  const int64_t size = static_cast<int64_t>(tokens.size());
  for (int64_t first = 0; first < size; first += part_rows_) {
    job.CheckCancelled();
    use({head_->Get(job, first / part_rows_), first, std::min(part_rows_, size - first)});
    if (first + part_rows_ < size) head_->Prefetch(job, first / part_rows_ + 1);
  }
}

const float* DeviceWeights::final_norm() {
  if (!final_norm_) {
    final_norm_ = DeviceMemory(device_, norm_bytes(), "uploading the final norm");
    uploader_.Send(final_norm_.data(), model_.final_norm);
  }
  return final_norm_.data<float>();
}

}  // namespace flab
