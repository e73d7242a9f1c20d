// The threads of a block: see emulator.h.

#include "cuda/emulator/block.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "cuda/emulator/fiber.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/shared.h"

namespace flab::emulator {
namespace {

constexpr unsigned kWarp = 32;
constexpr size_t kExchanged = 64;  // bytes of a lane at most

struct Copy {
  void* to;
  const void* from;
  int bytes;
  unsigned group;
  bool made;
};

struct Thread {
  Place place;
  std::vector<Copy> copies;  // that it has not waited for
  unsigned group = 0;        // of the copies that come next
};

struct Warp {
  uint32_t live, ready, at_barrier, arrived;  // a bit for each lane: has not ended, may run, is at the barrier, is in the exchange
  const char* kind;                           // of the exchange, and
  size_t size;                                // bytes of a lane
  void (*change)(void* given);                // may be null
  unsigned exchanges;
  // What the lanes give each other. A lane is at most one exchange ahead of another, so two do.
  alignas(16) std::byte given[2][kWarp * kExchanged];
};

struct Block {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Thread* running = nullptr;
  const std::function<void()>* kernel = nullptr;  // null: none runs
  const char* name = "";
};

Block block;

unsigned Seed() {
  const char* seed = std::getenv("FLAB_EMULATED_SEED");
  return seed ? static_cast<unsigned>(std::strtoul(seed, nullptr, 10)) : 1;
}

Warp& RunningWarp() { return block.warps[block.running->place.thread.x / kWarp]; }
uint32_t RunningLane() { return uint32_t{1} << block.running->place.thread.x % kWarp; }

void ReleaseBarrier() {
  if (std::any_of(block.warps.begin(), block.warps.end(), [](const Warp& warp) { return warp.at_barrier != warp.live; })) return;
  for (Warp& warp : block.warps) {
    warp.ready = warp.live;
    warp.at_barrier = 0;
  }
}

void ReleaseExchange(Warp& warp) {
  if (warp.arrived == 0 || warp.arrived != warp.live) return;
  warp.arrived = 0;
  warp.ready = warp.live;
  if (warp.change) warp.change(warp.given[warp.exchanges % 2]);
  ++warp.exchanges;
}

void RunThread() {
  (*block.kernel)();
  if (!block.running->copies.empty()) Refuse("ended without waiting for its asynchronous copies");
  Warp& warp = RunningWarp();
  warp.live &= ~RunningLane();
  ReleaseExchange(warp);
  ReleaseBarrier();
}

// Lets each lane that may run go on to its next barrier or exchange, in an order that is drawn.
void RunLanes(unsigned index) {
  Warp& warp = block.warps[index];
  const uint32_t ready = warp.ready;
  const unsigned first = Draw(kWarp), step = 2 * Draw(kWarp / 2) + 1;
  for (unsigned i = 0; i < kWarp; ++i) {
    const unsigned lane = (first + i * step) % kWarp;
    if (!(ready >> lane & 1)) continue;
    warp.ready &= ~(uint32_t{1} << lane);
    block.running = &block.threads[index * kWarp + lane];
    Resume(index * kWarp + lane, RunThread);
  }
}

// A warp that may go on, drawn; the number of warps if there is none.
unsigned DrawWarp() {
  const unsigned count = static_cast<unsigned>(block.warps.size()), first = Draw(count);
  for (unsigned i = 0; i < count; ++i) {
    if (block.warps[(first + i) % count].ready) return (first + i) % count;
  }
  return count;
}

void Prepare(dim3 index, dim3 blocks, unsigned threads) {
  block.threads.resize(threads);
  for (unsigned i = 0; i < threads; ++i) {
    block.threads[i].place = {.thread = {i, 0, 0}, .block = index, .threads = {threads, 1, 1}, .blocks = blocks};
    block.threads[i].group = 0;
  }
  block.warps.resize((threads + kWarp - 1) / kWarp);
  for (Warp& warp : block.warps) {
    warp.live = warp.ready = ~uint32_t{0};
    warp.at_barrier = warp.arrived = 0;
  }
  if (threads % kWarp) block.warps.back().live = block.warps.back().ready = (uint32_t{1} << threads % kWarp) - 1;
  PoisonShared();
}

// A warp goes on for a while that is drawn too: it may be far ahead of the others, as on a device.
void RunBlock() {
  constexpr unsigned kLongest = 9;  // 2^ as many turns
  const auto lives = [](const Warp& warp) { return warp.live != 0; };
  while (std::any_of(block.warps.begin(), block.warps.end(), lives)) {
    const unsigned warp = DrawWarp();
    if (warp == block.warps.size()) Refuse("waits for threads that never come: a barrier or an exchange is not reached by all");
    for (unsigned turns = 1u << Draw(kLongest + 1); turns > 0 && block.warps[warp].ready; --turns) RunLanes(warp);
  }
  if (!IsSharedWhole()) Refuse("wrote beside its shared memory");
}

void Make(const Copy& copy) {
  std::memset(copy.to, 0, 16);
  std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
}

}  // namespace

unsigned Draw(unsigned limit) {
  static std::mt19937 random{Seed()};
  return static_cast<unsigned>(random() % limit);
}

const Place& ThisThread() { return block.running->place; }

void Barrier() {
  RunningWarp().at_barrier |= RunningLane();
  ReleaseBarrier();
  GiveWay();
}

const void* Exchange(const char* kind, const void* bytes, size_t size) { return Exchange(kind, bytes, size, nullptr); }

const void* Exchange(const char* kind, const void* bytes, size_t size, void (*change)(void* given)) {
  if (size > kExchanged) Refuse("exchanges more than the emulator's lanes hold");
  Warp& warp = RunningWarp();
  if (warp.arrived && (warp.size != size || (warp.kind != kind && std::strcmp(warp.kind, kind) != 0))) Refuse("is in a warp whose lanes do different things at the same time");
  std::byte* given = warp.given[warp.exchanges % 2];
  if (!warp.arrived) std::memset(given, 0xff, kWarp * size);
  if (size > 0) std::memcpy(given + block.running->place.thread.x % kWarp * size, bytes, size);
  warp.kind = kind;
  warp.size = size;
  warp.change = change;
  warp.arrived |= RunningLane();
  ReleaseExchange(warp);
  GiveWay();
  return given;
}

void CheckPlace(const void* address, size_t bytes) {
  if (!IsShared(address, bytes) && !IsAllocated(Where::kDevice, address, bytes)) Refuse("reads or writes memory that is not its own", address);
}

void CopyLater(void* shared, const void* global, int bytes) {
  if (bytes < 0 || bytes > 16) Refuse("copies a number of bytes that is not within 16");
  if (reinterpret_cast<uintptr_t>(shared) % 16 || (bytes > 0 && reinterpret_cast<uintptr_t>(global) % 16)) Refuse("copies 16 bytes at an address that is not aligned to them", global);
  if (!IsShared(shared, 16)) Refuse("copies to memory that is not shared", shared);
  if (bytes > 0) CheckPlace(global, static_cast<size_t>(bytes));
  Thread& thread = *block.running;
  thread.copies.push_back({shared, global, bytes, thread.group, Draw(2) == 0});
  if (thread.copies.back().made) Make(thread.copies.back());
}

void EndGroup() { ++block.running->group; }

void WaitForGroups(int left) {
  Thread& thread = *block.running;
  const auto end = std::find_if(thread.copies.begin(), thread.copies.end(), [&](const Copy& copy) { return copy.group + static_cast<unsigned>(left) >= thread.group; });
  for (auto copy = thread.copies.begin(); copy != end; ++copy) {
    if (!copy->made) Make(*copy);
  }
  thread.copies.erase(thread.copies.begin(), end);
}

void Refuse(const char* what, const void* address) {
  if (block.kernel) {
    const Place& place = block.running ? block.running->place : Place{};
    std::fprintf(stderr, "emulated kernel %s, block (%u, %u, %u), thread %u: %s", block.name, place.block.x, place.block.y, place.block.z, place.thread.x, what);
  } else {
    std::fprintf(stderr, "emulated device: %s", what);
  }
  if (address) std::fprintf(stderr, ": %p", address);
  std::fprintf(stderr, " (FLAB_EMULATED_SEED=%u)\n", Seed());
  std::abort();
}

void RunGrid(const char* name, dim3 blocks, unsigned threads, size_t shared, const std::function<void()>& kernel) {
  block.name = name;
  block.kernel = &kernel;
  block.running = nullptr;
  if (threads == 0 || threads > kMostFibers) Refuse("is launched with a number of threads that no block has");
  // The grid's second and third dimension are 16 bits wide on a device.
  if (blocks.y > 65535 || blocks.z > 65535 || blocks.x > 0x7fffffff) Refuse("is launched with more blocks than a grid has");
  if (!SetShared(shared)) Refuse("is launched with more shared memory than a block has on every device");
  const uint64_t count = uint64_t{blocks.x} * blocks.y * blocks.z;
  const bool backwards = Draw(2) == 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = backwards ? count - 1 - i : i;
    Prepare({static_cast<unsigned>(at % blocks.x), static_cast<unsigned>(at / blocks.x % blocks.y), static_cast<unsigned>(at / blocks.x / blocks.y)}, blocks, threads);
    RunBlock();
  }
  block.kernel = nullptr;
}

}  // namespace flab::emulator
