// Searches of layers on a device: what is kept between the steps, and where. FLAB_CUDA_LIBRARY names the backend's library.

#include <algorithm>

#include "device/conformance/testing_device.h"
#include "prune/walk_store.h"

namespace flab::conformance {
namespace {

// A search of a small model: its second chunk of texts is saved before layer 2, in the device's memory, or in a file on the CPU.
struct Search {
  Search() {
    there->UseEngine(std::make_unique<DeviceEngine>(OpenTestDevice(), *there));
    view = {.layers = All(4), .neurons = {}, .tokens = All(61)};
    for (int32_t& id : texts.ids) id %= 61;
  }
  LayerScores Score(Job& job, const Model& model, WalkStore* store) const { return ScoreLayers(job, model, view, texts.texts(), {.keep = true}, store); }

  static ModelSpec SmallSpec() {
    ModelSpec spec = kSpec;
    spec.layers = 4, spec.width = 10, spec.ffn_width = 9, spec.query_heads = 2, spec.kv_heads = 1, spec.vocabulary = 61;
    return spec;
  }

  static constexpr int64_t kFirstTokens = 1000;  // of the first chunk
  const Tiny tiny = MakeTiny(SmallSpec());
  const std::unique_ptr<Model> cpu = tiny.Open(), there = tiny.Open();
  SomeTexts texts{std::vector<int32_t>(26, 40)};
  ModelView view;
  WalkStore on_cpu, on_device;
};

TEST("device: the next step of a greedy search begins where the states that the device keeps allow") {
  Search search;
  for (const bool first : {true, false}) {
    Job job;
    const LayerScores expected = search.Score(job, *search.cpu, &search.on_cpu), got = search.Score(job, *search.there, &search.on_device);
    ExpectSameScores(got, expected, ScoreTolerance(Compute::kF32));
    // The reference's two passes are saved in both chunks, and three of six where the second begins at layer 3.
    const int64_t saved = first ? 0 : 2 * search.texts.texts().tokens() + 3 * (search.texts.texts().tokens() - Search::kFirstTokens);
    EXPECT(got.token_layers == expected.token_layers && got.token_layers == got.token_layers_full - saved, got.token_layers, " of ", got.token_layers_full);
    std::erase(search.view.layers, 2u);
  }
}

TEST("device: what a step of a search had loaded when it was cancelled is not there any more, and it begins anew") {
  Search search;
  Job job;
  (void)search.Score(job, *search.there, &search.on_device);
  std::erase(search.view.layers, 2u);
  Job* cancelled = nullptr;
  // Six passes for each token of the first chunk; the second has begun.
  Job half_way([&](int64_t done, int64_t) {
    if (done > 6 * Search::kFirstTokens) cancelled->Cancel();
  });
  cancelled = &half_way;
  EXPECT(testing::CodeOf([&] { (void)search.Score(half_way, *search.there, &search.on_device); }) == "ERR_ABORTED");
  const LayerScores got = search.Score(job, *search.there, &search.on_device);
  EXPECT(got.token_layers == 6 * search.texts.texts().tokens(), got.token_layers);
  ExpectSameScores(got, search.Score(job, *search.cpu, nullptr), ScoreTolerance(Compute::kF32));
}

TEST("device: states are saved while there is room beside what was planned, and each is loaded once") {
  const Tiny tiny = TheTiny();
  const auto model = tiny.Open();
  const auto device = OpenTestDevice(LeastMemory(tiny, TestTexts(), Whole()) + (1 << 20));
  DeviceEngine engine(device, *model);
  Job job;
  const Texts texts = TestTexts().texts();
  const auto states = engine.NewStates(job, texts, 3, engine.Plan(texts, 3 * kSpec.width * 4, "a test"));
  const int64_t size = texts.tokens() * kSpec.width;
  EXPECT(states->size() == size);
  const std::vector<float> values = testing::Random(8).Normals(3 * size);
  const int64_t left = device->Left();
  size_t room = 0;
  for (const int round : {0, 1}) {
    const auto saved = engine.NewSavedStates(0);
    states->Write(0, 3, values.data());
    std::vector<int64_t> places;
    for (int64_t place = 0; (place = saved->Save(*states, 1, 2)) >= 0;) places.push_back(place);
    CHECK(places.size() > 1 && device->Left() == left - static_cast<int64_t>(places.size()) * 2 * size * 4, places.size());
    EXPECT(device->Left() > int64_t{96} << 20, "what is taken for a moment has its place");
    EXPECT(round == 0 || places.size() == room, places.size(), " after ", room);
    room = places.size();
    saved->Load(places[1], *states, 0, 2);
    std::vector<float> got(3 * size);
    states->Read(0, 3, got.data());
    EXPECT(std::equal(got.begin(), got.begin() + 2 * size, values.begin() + size) && std::equal(got.begin() + 2 * size, got.end(), values.begin() + 2 * size));
    EXPECT(saved->Save(*states, 0, 2) >= 0 && saved->Save(*states, 0, 2) == -1, "in the place of what was loaded");
  }
  EXPECT(device->Left() == left, "all is given back");
}

}  // namespace
}  // namespace flab::conformance
