#pragma once

#include <vector>

#include "device/layer_pass.h"

namespace flab {

// States of a chunk of texts in a device's memory.
class DeviceStates : public States {
 public:
  // At most `batch_rows` rows go through a layer at a time, or one text if that is longer.
  DeviceStates(Job& job, DeviceContext& context, const Texts& texts, int64_t states, int64_t batch_rows);

  int64_t size() const override { return size_; }
  void Embed(int64_t state) override;
  void Copy(int64_t from, int64_t to) override;
  void RunLayer(int64_t layer, int64_t first, int64_t count, const LayerOptions& options) override;
  std::vector<double> Cosines(int64_t a, int64_t b) override;
  void Read(int64_t first, int64_t count, float* out) override;
  void ReadRows(int64_t state, std::span<const int64_t> rows, float* out) override;
  void Write(int64_t first, int64_t count, const float* from) override;

  float* At(int64_t state) const { return states_.data<float>() + state * size_; }

 private:
  // Neighbouring texts that go through a layer together.
  struct Group {
    int64_t first_row, rows, first_tile, tiles, first_text, texts;
  };

  void Divide();
  RowBatch BatchOf(const Group& group, int64_t states) const;
  const uint8_t* Kept(const std::vector<uint32_t>& neurons);
  void Pace();

  Job& job_;
  DeviceContext& context_;
  const Texts texts_;
  const int64_t width_, size_, batch_rows_;
  DeviceMemory states_;
  std::vector<Group> groups_;
  int64_t states_a_batch_ = 1, most_rows_ = 0, most_texts_ = 0;
  DeviceMemory positions_, tiles_, last_tiles_, last_rows_, kept_;
  std::unique_ptr<LayerPass> pass_;
  int64_t batches_ = 0;  // that were put into the compute stream
};

}  // namespace flab
