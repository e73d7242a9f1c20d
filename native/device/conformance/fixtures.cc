#include "device/conformance/fixtures.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace flab::conformance {
namespace {

std::string Folder() {
  const char* named = std::getenv("FLAB_FIXTURES");
  return named ? named : FLAB_FIXTURES;
}

[[noreturn]] void Refuse(const std::string& expected, const std::string& got, const std::string& file) {
  throw Error("ERR_BAD_FILE", "expected " + expected + ", got " + got, file);
}

const std::map<std::string, int64_t ModelSpec::*> kSizes = {{"layers", &ModelSpec::layers},         {"width", &ModelSpec::width},
                                                            {"ffnWidth", &ModelSpec::ffn_width},    {"queryHeads", &ModelSpec::query_heads},
                                                            {"kvHeads", &ModelSpec::kv_heads},      {"headWidth", &ModelSpec::head_width},
                                                            {"vocabulary", &ModelSpec::vocabulary}};
const std::map<std::string, float ModelSpec::*> kNumbers = {{"normEps", &ModelSpec::norm_eps}, {"rotaryScale", &ModelSpec::rotary_scale}};
const std::map<std::string, Tensor LayerWeights::*> kRoles = {
    {"inputNorm", &LayerWeights::input_norm}, {"query", &LayerWeights::query},           {"key", &LayerWeights::key},
    {"value", &LayerWeights::value},          {"output", &LayerWeights::output},         {"queryBias", &LayerWeights::query_bias},
    {"keyBias", &LayerWeights::key_bias},     {"valueBias", &LayerWeights::value_bias},  {"outputBias", &LayerWeights::output_bias},
    {"queryNorm", &LayerWeights::query_norm}, {"keyNorm", &LayerWeights::key_norm},      {"ffnNorm", &LayerWeights::ffn_norm},
    {"gate", &LayerWeights::gate},            {"up", &LayerWeights::up},                 {"down", &LayerWeights::down},
    {"gateBias", &LayerWeights::gate_bias},   {"upBias", &LayerWeights::up_bias},        {"downBias", &LayerWeights::down_bias}};

template <typename T>
std::vector<T> Rest(std::istream& words) {
  std::vector<T> values;
  for (T value; words >> value;) values.push_back(value);
  return values;
}

}  // namespace

std::vector<std::string> FixtureNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  if (names.empty()) Refuse("descriptions of checkpoints", "none", Folder());
  std::sort(names.begin(), names.end());
  return names;
}

Fixture::Fixture(const std::string& name) : name(name) {
  std::ifstream file(Folder() + "/" + name + ".txt");
  for (std::string line; std::getline(file, line);) ReadLine(line);
  if (spec.layers == 0 || static_cast<int64_t>(layers_.size()) != spec.layers) Refuse("the tensors of every layer", std::to_string(layers_.size()), name + ".txt");
}

void Fixture::ReadLine(const std::string& line) {
  std::istringstream words(line);
  std::string key, what, layer;
  words >> key;
  if (kSizes.contains(key)) {
    words >> spec.*kSizes.at(key);
  } else if (kNumbers.contains(key)) {
    words >> spec.*kNumbers.at(key);
  } else if (key == "inverseFrequencies") {
    spec.inverse_frequencies = Rest<float>(words);
  } else if (key == "windows") {
    spec.windows = Rest<int32_t>(words);
  } else if (key == "reference") {
    words >> what;
    ReadPlace(words, references_[what]);
  } else if (key == "tensor") {
    words >> what >> layer;
    if (layer == "-") return ReadPlace(words, whole_[what]);
    const size_t index = std::stoul(layer);
    if (index >= layers_.size()) layers_.resize(index + 1);
    ReadPlace(words, layers_[index][what]);
  } else {
    Refuse("a line of a description", line, name + ".txt");
  }
}

void Fixture::ReadPlace(std::istream& words, Place& place) const {
  words >> place.file >> place.begin >> place.dtype;
  place.shape = Rest<int64_t>(words);
  if (place.shape.empty() || place.shape.size() > 2) Refuse("a vector or a matrix", std::to_string(place.shape.size()) + " dimensions", name + ".txt");
}

const std::byte* Fixture::Bytes(const Place& place) const {
  std::shared_ptr<MappedFile>& file = files_[place.file];
  if (!file) file = MappedFile::Open(Folder() + "/" + name + "/" + place.file);
  return file->data() + place.begin;
}

Tensor Fixture::Opened(const Place& place) const {
  const Dtype dtype = place.dtype == "F32" ? Dtype::kF32 : place.dtype == "F16" ? Dtype::kF16 : Dtype::kBF16;
  const std::byte* bytes = Bytes(place);
  const std::shared_ptr<MappedFile>& file = files_[place.file];
  return {bytes, dtype, place.shape[0], place.shape.size() == 2 ? place.shape[1] : 1, file, place.file, file.get()};
}

std::unique_ptr<Model> Fixture::Open(Compute compute) const {
  std::vector<LayerWeights> layers;
  for (const auto& tensors : layers_) {
    LayerWeights& layer = layers.emplace_back();
    for (const auto& [role, place] : tensors) layer.*kRoles.at(role) = Opened(place);
  }
  // One of the two may stand for both.
  const auto either = [&](const char* role, const char* other) { return Opened(whole_.contains(role) ? whole_.at(role) : whole_.at(other)); };
  return std::make_unique<Model>(spec, either("embedding", "head"), Opened(whole_.at("finalNorm")), either("head", "embedding"), std::move(layers), compute);
}

std::vector<float> Fixture::Values(const std::string& reference) const { return ToFloats(Opened(references_.at(reference))); }

std::vector<int32_t> Fixture::Ids(const std::string& text) const {
  const Place& place = references_.at("input_ids." + text);
  std::vector<int64_t> wide(place.shape.back());
  std::memcpy(wide.data(), Bytes(place), wide.size() * sizeof(int64_t));
  return {wide.begin(), wide.end()};
}

}  // namespace flab::conformance
