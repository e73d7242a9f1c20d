// cuBLASLt's place in the backend, with the library of fake_cublaslt.cc: how it is found, refused and used. That its products are right
// say the tests of matmul, run with its path in FLAB_PRODUCTS.

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "backend/conformance/conformance.h"
#include "cuda/emulator/emulated_only.h"
#include "cuda/emulator/fake_cublaslt.h"

namespace flab::conformance {
namespace {

// The library, as new for each test.
FakeCublasLt& Fake(const char* path = FLAB_FAKE_PRODUCTS) {
  void* library = dlopen(path, RTLD_NOW);
  if (!library) throw Error("ERR_BACKEND", dlerror(), path);
  FakeCublasLt& fake = *reinterpret_cast<FakeCublasLt* (*)()>(dlsym(library, FLAB_FAKE_CUBLASLT))();
  fake = {};
  return fake;
}

// A device of its own, with the products of a path.
class Opened {
 public:
  explicit Opened(const char* path) { Expect(Backend().open(0, path, &device_), "open"); }
  ~Opened() { Backend().close(device_); }
  FlabDevice* device() const { return device_; }
  std::string products() const {
    int32_t fast = -1;
    const std::string description = Backend().products(device_, &fast);
    return (fast ? "fast: " : "slow: ") + description;
  }

 private:
  FlabDevice* device_ = nullptr;
};

// Of ones, so that each output is the depth.
struct Ones {
  Memory ones = ToDevice(std::vector<float>(64 * 1024, 1.0f)), out = Memory(4 * 64 * 1024);

  FlabMatmul Call(int64_t rows, int64_t columns, int64_t depth) const {
    return {ones.data(), ones.data(), out.as<float>(), rows, columns, depth, depth, depth, columns, FLAB_F32, 0};
  }
  bool AreRight(FlabDevice* device, const FlabMatmul& call) const {
    Expect(Backend().matmul(device, &call), "matmul");
    Expect(Backend().synchronize(device, FLAB_COMPUTE), "synchronize");
    const std::vector<float> got = FromDevice<float>(call.out, (call.rows - 1) * call.out_stride + call.columns);
    for (int64_t i = 0; i < call.rows * call.columns; ++i) {
      if (got[i / call.columns * call.out_stride + i % call.columns] != static_cast<float>(call.depth)) return false;
    }
    return true;
  }
};

TEST("emulated products: without a library, each name that was tried has its reason") {
  if (!IsEmulated()) return;
  const std::string missing = "No such file or directory";
  const std::string got = Opened(nullptr).products();
  EXPECT(got == "slow: libcublasLt_emulated.so.13: " + missing + "; libcublasLt_emulated.so.12: " + missing, got);
}

TEST("emulated products: an empty path asks for no library") {
  if (!IsEmulated()) return;
  const std::string got = Opened("").products();
  EXPECT(got == "slow: no library was asked for", got);
}

TEST("emulated products: a library is named with its version") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  EXPECT(Opened(FLAB_FAKE_PRODUCTS).products() == "fast: cuBLASLt 13.1 (" FLAB_FAKE_PRODUCTS ")", Opened(FLAB_FAKE_PRODUCTS).products());
  fake.version = 120604;
  EXPECT(Opened(FLAB_FAKE_PRODUCTS).products() == "fast: cuBLASLt 12.6 (" FLAB_FAKE_PRODUCTS ")", Opened(FLAB_FAKE_PRODUCTS).products());
}

TEST("emulated products: what is not cuBLASLt of version 12 or 13 is refused with the reason, and products are right all the same") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  const Ones ones;
  const auto expect = [&](const char* path, const std::string& reason) {
    const Opened opened(path);
    EXPECT(opened.products() == "slow: " + reason, opened.products());
    EXPECT(ones.AreRight(opened.device(), ones.Call(5, 6, 7)), reason);
  };
  const std::string backend = std::getenv("FLAB_CUDA_LIBRARY"), path = FLAB_FAKE_PRODUCTS;
  expect("/no/such.so", "/no/such.so: No such file or directory");
  expect("/etc/passwd", "/etc/passwd: invalid ELF header");
  expect(backend.c_str(), backend + ": is not cuBLASLt, it has no cublasLtGetVersion");
  fake.version = 111103;
  expect(FLAB_FAKE_PRODUCTS, path + ": is cuBLASLt 11.11, expected 12 or 13");
  fake.version = 140000;
  expect(FLAB_FAKE_PRODUCTS, path + ": is cuBLASLt 14.0, expected 12 or 13");
  fake = {};
  fake.create_status = 15;
  expect(FLAB_FAKE_PRODUCTS, "cuBLASLt 13.1 (" + path + "): not supported");
  fake = {};
  fake.heuristic_status = 15;
  expect(FLAB_FAKE_PRODUCTS, "cuBLASLt 13.1 (" + path + "): it has no bf16 product for this device");
  EXPECT(fake.handles == 0 && fake.descs == 0 && fake.layouts == 0 && fake.preferences == 0);
}

TEST("emulated products: an algorithm is asked for once for a shape, its strides and alignment, and again when there were many others") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  const Ones ones;
  const Opened opened(FLAB_FAKE_PRODUCTS);
  const auto asked = [&](const FlabMatmul& call) {
    const int before = fake.heuristics;
    EXPECT(ones.AreRight(opened.device(), call));
    return fake.heuristics - before;
  };
  FlabMatmul call = ones.Call(3, 4, 5);
  EXPECT(asked(call) == 1);
  EXPECT(asked(call) == 0);
  const auto change = [&](int64_t FlabMatmul::*number, int64_t value) {
    call.*number = value;
    EXPECT(asked(call) == 1, "a number changed to ", value);
  };
  change(&FlabMatmul::a_stride, 8);
  change(&FlabMatmul::weights_stride, 9);
  change(&FlabMatmul::out_stride, 10);
  change(&FlabMatmul::rows, 2);
  change(&FlabMatmul::columns, 3);
  change(&FlabMatmul::depth, 4);
  call.out += 1;
  EXPECT(asked(call) == 1, "another alignment");
  call.out += 4;
  EXPECT(asked(call) == 0, "the same alignment elsewhere");
  const int products = fake.products;
  for (int64_t rows = 1; rows <= 1000; ++rows) EXPECT(asked(ones.Call(rows, 1, 1)) == 1);
  EXPECT(fake.products == products + 1000);
  EXPECT(fake.layouts <= 3 * 256, fake.layouts, " layouts are kept");
  EXPECT(asked(call) == 1, "forgotten meanwhile");
}

TEST("emulated products: what the library has no algorithm for, or fails at, is computed all the same") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  const Ones ones;
  const Opened opened(FLAB_FAKE_PRODUCTS);
  fake.least_alignment = 16;
  FlabMatmul call = ones.Call(9, 9, 9);
  call.out += 1;
  EXPECT(ones.AreRight(opened.device(), call) && fake.products == 0);
  call = ones.Call(9, 9, 9);
  call.a_stride = 0;  // one row for all: the library takes no such layout
  EXPECT(ones.AreRight(opened.device(), call) && fake.products == 0);
  fake.matmul_status = 13;
  EXPECT(ones.AreRight(opened.device(), ones.Call(9, 9, 9)) && fake.products == 1);
  fake.matmul_status = 0;
  EXPECT(ones.AreRight(opened.device(), ones.Call(9, 9, 9)) && fake.products == 2, "it may have failed that time alone");
  fake.matmul_status = 15;
  EXPECT(ones.AreRight(opened.device(), ones.Call(9, 9, 9)) && fake.products == 3);
  EXPECT(ones.AreRight(opened.device(), ones.Call(9, 9, 9)) && fake.products == 3, "what is not supported is not tried again");
}

TEST("emulated products: the library is promised the alignment that there is, up to 256 bytes") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  const Ones ones;
  const Opened opened(FLAB_FAKE_PRODUCTS);
  fake.least_alignment = 256;
  FlabMatmul call = ones.Call(3, 4, 5);
  for (const void** matrix : {&call.a, &call.weights}) *matrix = reinterpret_cast<const void*>((reinterpret_cast<uintptr_t>(*matrix) + 255) / 256 * 256);
  call.out = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(call.out) + 255) / 256 * 256);
  EXPECT(ones.AreRight(opened.device(), call) && fake.products == 1);
  call.out += 32;
  EXPECT(ones.AreRight(opened.device(), call) && fake.products == 1, "aligned to 128 bytes");
}

TEST("emulated products: the only row of a matrix may have any stride") {
  if (!IsEmulated()) return;
  const FakeCublasLt& fake = Fake();
  const Ones ones;
  const Opened opened(FLAB_FAKE_PRODUCTS);
  FlabMatmul call = ones.Call(1, 1, 9);
  call.a_stride = call.weights_stride = call.out_stride = 0;
  EXPECT(ones.AreRight(opened.device(), call) && fake.products == 1);
}

TEST("emulated products: the workspace is as large as the device's memory lets it be, and all is released with the device") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  const Ones ones;
  int64_t before = 0, after = 0;
  Expect(Backend().available(Device(), &before), "available");
  const int64_t in_use = (int64_t{8} << 30) - before;
  for (const int64_t workspace : {32, 16, 1, 0}) {
    // A little more than this many MiB, and less than twice as many, are left for it.
    setenv("FLAB_EMULATED_MEMORY", std::to_string(in_use + (workspace << 20) + 1000).c_str(), 1);
    const Opened opened(FLAB_FAKE_PRODUCTS);
    unsetenv("FLAB_EMULATED_MEMORY");
    EXPECT(ones.AreRight(opened.device(), ones.Call(5, 6, 7)));
    EXPECT(fake.workspace == static_cast<uint64_t>(workspace) << 20, fake.workspace, " bytes for ", workspace, " MiB");
  }
  Expect(Backend().available(Device(), &after), "available");
  EXPECT(before == after);
  EXPECT(fake.handles == 0 && fake.descs == 0 && fake.layouts == 0 && fake.preferences == 0);
}

TEST("emulated products: what is thrown on the way becomes a code and its words, and the device goes on") {
  if (!IsEmulated()) return;
  FakeCublasLt& fake = Fake();
  const Ones ones;
  const Opened opened(FLAB_FAKE_PRODUCTS);
  const FlabMatmul call = ones.Call(5, 6, 7);
  FlabFailure failure;
  fake.throws_memory = true;
  EXPECT(Backend().matmul(opened.device(), &call) == FLAB_OUT_OF_MEMORY);
  Backend().failure(&failure);
  EXPECT(failure.code == FLAB_OUT_OF_MEMORY && std::string(failure.message) == "the host has no more memory", failure.message);
  FlabDevice* device = opened.device();
  EXPECT(Backend().open(0, FLAB_FAKE_PRODUCTS, &device) == FLAB_OUT_OF_MEMORY && device == nullptr);
  fake.throws_memory = false, fake.throws_words = true;
  EXPECT(Backend().matmul(opened.device(), &call) == FLAB_FAULT);
  Backend().failure(&failure);
  EXPECT(failure.code == FLAB_FAULT && std::string(failure.message) == "of the library's", failure.message);
  fake.throws_words = false;
  EXPECT(ones.AreRight(opened.device(), call));
}

// The last test: what it opens is found by its name from now on.
TEST("emulated products: where version 13 opens and can't be used, version 12 is, and each that can't has its reason") {
  if (!IsEmulated()) return;
  FakeCublasLt& newer = Fake(FLAB_FAKE_PRODUCTS_13);
  FakeCublasLt& older = Fake(FLAB_FAKE_PRODUCTS_12);
  older.version = 120900;
  EXPECT(Opened(nullptr).products() == "fast: cuBLASLt 13.1 (libcublasLt_emulated.so.13)", Opened(nullptr).products());
  newer.create_status = 15;
  EXPECT(Opened(nullptr).products() == "fast: cuBLASLt 12.9 (libcublasLt_emulated.so.12)", Opened(nullptr).products());
  newer = {};
  newer.heuristic_status = 15;
  EXPECT(Opened(nullptr).products() == "fast: cuBLASLt 12.9 (libcublasLt_emulated.so.12)", Opened(nullptr).products());
  older.create_status = 15;
  const std::string got = Opened(nullptr).products();
  EXPECT(got == "slow: cuBLASLt 13.1 (libcublasLt_emulated.so.13): it has no bf16 product for this device; "
                "cuBLASLt 12.9 (libcublasLt_emulated.so.12): not supported",
         got);
  EXPECT(newer.handles == 0 && older.handles == 0 && newer.descs == 0 && older.descs == 0);
}

}  // namespace
}  // namespace flab::conformance
