#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"

namespace flab::conformance {

// A tiny checkpoint with numbers that transformers computed on it, as its description says (test/fixtures/descriptions.ts).
class Fixture {
 public:
  explicit Fixture(const std::string& name);

  std::unique_ptr<Model> Open(Compute compute) const;

  // What transformers computed: logits.a, kl.a.0, ... (test/oracle/make_models.py).
  std::vector<float> Values(const std::string& reference) const;
  // The ids of text a, b or one.
  std::vector<int32_t> Ids(const std::string& text) const;

  const std::string name;
  ModelSpec spec{};

 private:
  // A tensor in a file of the checkpoint's folder.
  struct Place {
    std::string file, dtype;
    int64_t begin = 0;  // bytes
    std::vector<int64_t> shape;
  };

  void ReadLine(const std::string& line);
  void ReadPlace(std::istream& words, Place& place) const;
  const std::byte* Bytes(const Place& place) const;
  Tensor Opened(const Place& place) const;

  std::map<std::string, Place> whole_, references_;
  std::vector<std::map<std::string, Place>> layers_;
  mutable std::map<std::string, std::shared_ptr<MappedFile>> files_;
};

// The names of all that have a description, in the folder that FLAB_FIXTURES names, or in that of this checkout.
std::vector<std::string> FixtureNames();

}  // namespace flab::conformance
