// The fibers of a block: see emulator.h.

#include "cuda/emulator/emulator.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

#include "cuda/emulator/block.h"

namespace flab::emulator {
namespace {

constexpr size_t kStackBytes = size_t{128} << 10;
constexpr unsigned kWarp = 32, kMostThreads = 1024;
constexpr size_t kExchanged = 64;  // bytes of a lane at most
constexpr size_t kSharedAlignment = 128, kCanary = 64;  // bytes

struct Copy {
  void* to;
  const void* from;
  bool valid;
};

struct Fiber {
  Place place;
  ucontext_t context;
  jmp_buf jump;
  bool begun = false, ended = false, waits = false;  // at a barrier or in an exchange
  bool at_barrier = false;
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
};

// What the lanes of a warp give each other. A lane is at most one exchange ahead of another, so two buffers do.
struct Warp {
  alignas(16) std::byte given[2][kWarp * kExchanged];
  const char* kind = nullptr;
  unsigned lanes = 0, arrived = 0, generation = 0;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<std::byte> memory;
  std::byte* shared = nullptr;  // in `memory`, aligned
  size_t shared_bytes = 0;
  unsigned live = 0, at_barrier = 0;
  const std::function<void()>* kernel = nullptr;
  const char* name = "";
  Fiber* running = nullptr;
  jmp_buf scheduler;
  std::byte* stacks = nullptr;
  std::mt19937 random{20412};
};

// Kernels run on one thread at a time; each has its own block.
thread_local Block block;

// Back to the scheduler, until somebody says that this fiber may go on.
void Yield() {
  Fiber& fiber = *block.running;
  if (_setjmp(fiber.jump) == 0) _longjmp(block.scheduler, 1);
}

void ReleaseBarrier() {
  if (block.at_barrier == 0 || block.at_barrier < block.live) return;
  block.at_barrier = 0;
  for (Fiber& fiber : block.fibers) {
    if (fiber.at_barrier) fiber.at_barrier = fiber.waits = false;
  }
}

void ReleaseWarp(unsigned index) {
  Warp& warp = block.warps[index];
  if (warp.arrived == 0 || warp.arrived < warp.lanes) return;
  warp.arrived = 0;
  warp.kind = nullptr;
  ++warp.generation;
  for (unsigned i = index * kWarp; i < std::min<size_t>((index + 1) * kWarp, block.fibers.size()); ++i) {
    if (!block.fibers[i].at_barrier) block.fibers[i].waits = false;
  }
}

void Begin() {
  (*block.kernel)();
  Fiber& fiber = *block.running;
  if (!fiber.groups.empty() || !fiber.open.empty()) Refuse("ended without waiting for its asynchronous copies");
  fiber.ended = true;
  --block.live;
  const unsigned warp = fiber.place.thread.x / kWarp;
  --block.warps[warp].lanes;
  ReleaseWarp(warp);
  ReleaseBarrier();
  _longjmp(block.scheduler, 1);
}

void Resume(Fiber& fiber) {
  block.running = &fiber;
  if (_setjmp(block.scheduler) != 0) return;
  if (fiber.begun) _longjmp(fiber.jump, 1);
  fiber.begun = true;
  setcontext(&fiber.context);
}

void Prepare(dim3 index, dim3 blocks, unsigned threads) {
  block.fibers.clear();
  block.fibers.resize(threads);
  block.warps.assign((threads + kWarp - 1) / kWarp, {});
  block.live = threads;
  block.at_barrier = 0;
  std::memset(block.shared, 0xff, block.shared_bytes + kCanary);
  for (unsigned i = 0; i < threads; ++i) {
    Fiber& fiber = block.fibers[i];
    fiber.place = {.thread = {i, 0, 0}, .block = index, .threads = {threads, 1, 1}, .blocks = blocks};
    ++block.warps[i / kWarp].lanes;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = block.stacks + i * kStackBytes;
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, Begin, 0);
  }
}

void RunBlock() {
  std::vector<Fiber*> ready;
  while (block.live > 0) {
    ready.clear();
    bool stuck = true;
    // Half of the warps are held back, others at each turn: one may get ahead of another as far as barriers let it.
    const auto held = block.random();
    for (Fiber& fiber : block.fibers) {
      if (fiber.ended || fiber.waits) continue;
      stuck = false;
      if ((held >> (fiber.place.thread.x / kWarp) & 1) == 0) ready.push_back(&fiber);
    }
    if (stuck) Refuse("waits for threads that never come: a barrier or an exchange is not reached by all");
    // Each of those that are ready, once, in any order: one that goes on while others run waits for its turn.
    std::shuffle(ready.begin(), ready.end(), block.random);
    for (Fiber* fiber : ready) Resume(*fiber);
  }
  for (size_t i = block.shared_bytes; i < block.shared_bytes + kCanary; ++i) {
    if (block.shared[i] != std::byte{0xff}) Refuse("wrote past the end of its shared memory");
  }
}

}  // namespace

const Place& ThisThread() { return block.running->place; }

void* Shared(size_t bytes) {
  if (bytes > block.shared_bytes) Refuse("uses more shared memory than its launch asked for");
  return block.shared;
}

void Barrier() {
  block.running->at_barrier = block.running->waits = true;
  ++block.at_barrier;
  ReleaseBarrier();
  Yield();
}

const void* Exchange(const char* kind, const void* bytes, size_t size) {
  if (size > kExchanged) Refuse("exchanges more than the emulator's lanes hold");
  const unsigned thread = block.running->place.thread.x, lane = thread % kWarp;
  Warp& warp = block.warps[thread / kWarp];
  if (warp.arrived > 0 && std::strcmp(warp.kind, kind) != 0) Refuse("is in a warp whose lanes do different things at the same time");
  const unsigned generation = warp.generation;
  std::byte* given = warp.given[generation % 2];
  if (size > 0) std::memcpy(given + lane * size, bytes, size);
  warp.kind = kind;
  ++warp.arrived;
  block.running->waits = true;
  ReleaseWarp(thread / kWarp);
  Yield();
  return given;
}

void CopyLater(void* shared, const void* global, bool valid) {
  if (reinterpret_cast<uintptr_t>(shared) % 16 || (valid && reinterpret_cast<uintptr_t>(global) % 16)) Refuse("copies 16 bytes at an address that is not aligned to them", global);
  block.running->open.push_back({shared, global, valid});
}

void EndGroup() {
  block.running->groups.push_back(std::move(block.running->open));
  block.running->open.clear();
}

void WaitForGroups(int left) {
  auto& groups = block.running->groups;
  while (groups.size() > static_cast<size_t>(left)) {
    for (const Copy& copy : groups.front()) {
      if (copy.valid) {
        std::memcpy(copy.to, copy.from, 16);
      } else {
        std::memset(copy.to, 0, 16);
      }
    }
    groups.pop_front();
  }
}

void Refuse(const char* what, const void* address) {
  const Place& place = block.running ? block.running->place : Place{};
  std::fprintf(stderr, "emulated kernel %s, block (%u, %u, %u), thread %u: %s", block.name, place.block.x, place.block.y, place.block.z, place.thread.x, what);
  if (address) std::fprintf(stderr, ": %p", address);
  std::fprintf(stderr, "\n");
  std::abort();
}

const char* RunningKernel() { return block.kernel ? block.name : nullptr; }

void RunGrid(const char* name, dim3 blocks, unsigned threads, size_t shared, const std::function<void()>& kernel) {
  if (!block.stacks) {
    void* stacks = mmap(nullptr, kMostThreads * kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) std::abort();
    block.stacks = static_cast<std::byte*>(stacks);
  }
  block.name = name;
  block.kernel = &kernel;
  if (threads == 0 || threads > kMostThreads) Refuse("is launched with a number of threads that no block has");
  // The grid's second and third dimension are 16 bits wide on a device.
  if (blocks.y > 65535 || blocks.z > 65535 || blocks.x > 0x7fffffff) Refuse("is launched with more blocks than a grid has");
  block.shared_bytes = shared;
  block.memory.resize(shared + kCanary + kSharedAlignment);
  const uintptr_t start = reinterpret_cast<uintptr_t>(block.memory.data());
  block.shared = reinterpret_cast<std::byte*>((start + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment);
  for (unsigned z = 0; z < blocks.z; ++z) {
    for (unsigned y = 0; y < blocks.y; ++y) {
      for (unsigned x = 0; x < blocks.x; ++x) {
        Prepare({x, y, z}, blocks, threads);
        RunBlock();
      }
    }
  }
  block.running = nullptr;
  block.kernel = nullptr;
}

}  // namespace flab::emulator
