#include "device/hidden.h"

#include <algorithm>
#include <cstring>

#include "device/head_tile.h"
#include "device/states.h"

namespace flab {
namespace {

// Whole rows of logits on their way to the host.
constexpr int64_t kLogitsBytes = int64_t{64} << 20;

int64_t PiecesOf(int64_t columns) { return (columns + FLAB_PIECE - 1) / FLAB_PIECE; }

// Sums of some positions over the vocabulary, on the device, and what becomes of them.
class Sums {
 public:
  Sums(DeviceContext& context, std::span<const Position> positions, int64_t group, int64_t columns)
      : context_(context), positions_(positions), group_(group), pieces_(PiecesOf(columns)) {
    const int64_t count = static_cast<int64_t>(positions.size());
    std::vector<int32_t> targets;
    for (const Position& position : positions) targets.push_back(static_cast<int32_t>(position.target));
    has_losses_ = std::any_of(targets.begin(), targets.end(), [](int32_t target) { return target >= 0; });
    divergences_ = context.NewMemory<FlabPieceSums>(pieces_ * count * (group - 1), kWhat);
    if (!has_losses_) return;
    targets_ = context.Sent(targets, kWhat);
    losses_ = context.NewMemory<FlabLossPiece>(pieces_ * count * group, kWhat);
    target_logits_ = context.NewMemory<float>(count * group, kWhat);
  }

  // Logits of positions [first, first + count), columns [first_column, first_column + columns).
  void Add(const float* logits, int64_t first, int64_t count, int64_t first_column, int64_t columns, int64_t stride) {
    const FlabBackend& backend = context_.backend();
    const int64_t all = static_cast<int64_t>(positions_.size()), piece = first_column / FLAB_PIECE;
    const FlabDivergenceTile divergence{.logits = logits, .pieces = divergences_.data<FlabPieceSums>(), .positions = count, .group = group_, .columns = columns,
                                        .stride = stride, .first_piece = piece, .first_position = first, .all_positions = all};
    if (group_ > 1) context_.Check(backend.divergence_tile(context_.handle(), &divergence), kWhat);
    if (!has_losses_) return;
    const FlabLossTile loss{.logits = logits, .targets = targets_.data<int32_t>(), .pieces = losses_.data<FlabLossPiece>(), .target_logits = target_logits_.data<float>(),
                            .positions = count, .group = group_, .columns = columns, .stride = stride, .first_piece = piece, .first_position = first, .all_positions = all};
    context_.Check(backend.loss_tile(context_.handle(), &loss), kWhat);
  }

  // Adds everything to the host's sums, in the order of positions.
  void AddTo(HeadSums& sums) {
    const FlabBackend& backend = context_.backend();
    const int64_t count = static_cast<int64_t>(positions_.size()), candidates = group_ - 1;
    std::vector<double> divergences(count * candidates), losses(has_losses_ ? count * group_ : 0);
    const DeviceMemory finished = context_.NewMemory<double>(count * group_, kWhat);
    context_.Check(backend.divergence_finish(context_.handle(), divergences_.data<FlabPieceSums>(), pieces_, count * candidates, finished.data<double>()), kWhat);
    context_.Check(backend.download(context_.handle(), divergences.data(), finished.data(), count * candidates * 8), kWhat);
    if (has_losses_) {
      context_.Check(backend.loss_finish(context_.handle(), losses_.data<FlabLossPiece>(), pieces_, target_logits_.data<float>(), count * group_, finished.data<double>()), kWhat);
      context_.Check(backend.download(context_.handle(), losses.data(), finished.data(), count * group_ * 8), kWhat);
    }
    for (int64_t i = 0; i < count; ++i) AddPosition(positions_[i], divergences.data() + i * candidates, losses.data() + i * group_, sums);
  }

 private:
  static constexpr const char* kWhat = "measuring logits";

  void AddPosition(const Position& position, const double* divergences, const double* losses, HeadSums& sums) const {
    if (position.diverges) {
      for (int64_t c = 0; c < group_ - 1; ++c) {
        sums.divergence[c] += divergences[c];
        if (sums.keep_positions) sums.by_position.push_back(divergences[c]);
      }
      ++sums.positions;
    }
    if (position.target < 0) return;
    sums.reference_loss += losses[0];
    for (int64_t c = 0; c < group_ - 1; ++c) sums.loss[c] += losses[1 + c];
    ++sums.loss_tokens;
  }

  DeviceContext& context_;
  const std::span<const Position> positions_;
  const int64_t group_, pieces_;
  bool has_losses_ = false;
  DeviceMemory divergences_, targets_, losses_, target_logits_;
};

}  // namespace

DeviceHidden::DeviceHidden(const Job& job, DeviceContext& context, int64_t positions, int64_t group)
    : job_(job),
      context_(context),
      positions_(positions),
      group_(group),
      row_bytes_(context.model.spec.width * context.item_bytes()),
      rows_(context.NewMemory<char>(positions * group * row_bytes_, "allocating hidden states")),
      places_(context.NewMemory<uint32_t>(positions, "allocating hidden states")) {}

int64_t DeviceHidden::RowBytes(const DeviceContext& context) {
  const int64_t sums = sizeof(FlabPieceSums) + sizeof(FlabLossPiece);
  return context.model.spec.width * context.item_bytes() + PiecesOf(context.model.spec.vocabulary) * sums + 32;
}

void DeviceHidden::Put(States& states, int64_t state, std::span<const int64_t> rows, int64_t member) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const auto& there = static_cast<DeviceStates&>(states);
  context_.Check(context_.backend().rms_norm(context_.handle(), there.At(state), Places(rows), count, context_.model.spec.width, context_.weights.final_norm(),
                                             context_.model.spec.norm_eps, At(0, member), group_ * context_.model.spec.width, context_.dtype()),
                 "the final norm");
}

// The rows on the device. Candidates ask for the same ones one after the other.
const uint32_t* DeviceHidden::Places(std::span<const int64_t> rows) {
  const std::vector<uint32_t> wanted(rows.begin(), rows.end());
  if (wanted != sent_) {
    context_.uploader.Send(places_.data(), wanted);
    sent_ = wanted;
  }
  return places_.data<uint32_t>();
}

// Rows of a member of the first groups, within rows_.
const uint32_t* DeviceHidden::MemberPlaces(int64_t member, int64_t count) {
  std::vector<int64_t> rows(count);
  for (int64_t i = 0; i < count; ++i) rows[i] = i * group_ + member;
  return Places(rows);
}

void DeviceHidden::Write(int64_t member, int64_t count, const float* from) {
  const int64_t values = count * context_.model.spec.width;
  std::vector<uint16_t> halves(context_.dtype() == FLAB_BF16 ? values : 0);
  if (!halves.empty()) ActiveKernels().to_bf16(from, values, halves.data());
  const DeviceMemory there = context_.NewMemory<char>(count * row_bytes_, "writing hidden states");
  context_.uploader.Send(there.data(), halves.empty() ? static_cast<const void*>(from) : halves.data(), count * row_bytes_);
  context_.Check(context_.backend().scatter_rows(context_.handle(), there.data(), row_bytes_, MemberPlaces(member, count), count, rows_.data()), "writing hidden states");
}

void DeviceHidden::Read(int64_t member, int64_t count, float* out) {
  const int64_t values = count * context_.model.spec.width;
  const DeviceMemory there = context_.NewMemory<char>(count * row_bytes_, "reading hidden states");
  context_.Check(context_.backend().gather_rows(context_.handle(), rows_.data(), row_bytes_, MemberPlaces(member, count), count, there.data()), "reading hidden states");
  std::vector<std::byte> bytes(count * row_bytes_);
  context_.Check(context_.backend().download(context_.handle(), bytes.data(), there.data(), count * row_bytes_), "reading hidden states");
  const Tensor tensor{bytes.data(), context_.dtype() == FLAB_BF16 ? Dtype::kBF16 : Dtype::kF32, count, context_.model.spec.width, nullptr, "hidden states"};
  Widen(tensor, 0, values, out);
}

void DeviceHidden::Multiply(const void* rows, int64_t count, const HeadRows& head, float* out, int64_t stride) {
  const int64_t width = context_.model.spec.width;
  const FlabMatmul call{.a = rows, .weights = head.weights, .out = out, .rows = count, .columns = head.count, .depth = width, .a_stride = width, .weights_stride = width,
                        .out_stride = stride, .dtype = context_.dtype(), .accumulate = 0};
  context_.Check(context_.backend().matmul(context_.handle(), &call), "computing logits");
}

void DeviceHidden::AddTo(std::span<const uint32_t> tokens, int64_t first, std::span<const Position> positions, HeadSums& sums) {
  const int64_t count = static_cast<int64_t>(positions.size()), columns = static_cast<int64_t>(tokens.size());
  if (count == 0) return;
  const HeadTile tile = ChooseHeadTile(count, group_, std::min(columns, context_.weights.part_rows()), context_.device->info());
  const DeviceMemory logits = context_.NewMemory<float>(tile.positions * group_ * tile.columns, "measuring logits");
  Sums there(context_, positions, group_, columns);
  context_.weights.ForEachHeadPart(job_, tokens, [&](const HeadRows& part) {
    for (int64_t column = 0; column < part.count; column += tile.columns) {
      const HeadRows head = part.Slice(column, tile.columns, row_bytes_);
      for (int64_t position = 0; position < count; position += tile.positions) {
        const int64_t size = std::min(tile.positions, count - position);
        Multiply(At(first + position, 0), size * group_, head, logits.data<float>(), tile.columns);
        there.Add(logits.data<float>(), position, size, head.first, head.count, tile.columns);
      }
    }
  });
  there.AddTo(sums);
}

void DeviceHidden::Logits(std::span<const uint32_t> tokens, int64_t first, int64_t count, float* out) {
  const int64_t vocabulary = static_cast<int64_t>(tokens.size()), step = std::clamp<int64_t>(kLogitsBytes / (4 * vocabulary), 1, std::max<int64_t>(1, count));
  const DeviceMemory logits = context_.NewMemory<float>(step * vocabulary, "computing logits");
  for (int64_t row = 0; row < count; row += step) {
    const int64_t size = std::min(step, count - row);
    context_.weights.ForEachHeadPart(job_, tokens, [&](const HeadRows& head) { Multiply(At(first + row, 0), size, head, logits.data<float>() + head.first, vocabulary); });
    context_.Check(context_.backend().download(context_.handle(), out + row * vocabulary, logits.data(), size * vocabulary * 4), "computing logits");
  }
}

}  // namespace flab
