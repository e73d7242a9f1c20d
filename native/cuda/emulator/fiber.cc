// A fiber is made when it first runs and never ended: what runs in it is begun again. Going from one to another costs two jumps and
// no call of the system.

#include "cuda/emulator/fiber.h"

#include <ucontext.h>

#include <csetjmp>
#include <cstddef>
#include <cstdlib>

#include "cuda/emulator/guarded.h"

namespace flab::emulator {
namespace {

// With the two pages around each an odd number of pages: so the stacks' ends, which all fibers use, are apart in the cache.
constexpr size_t kStackBytes = size_t{60} << 10;

struct Fiber {
  jmp_buf jump;
  bool made = false;
};

Fiber fibers[kMostFibers];
Fiber* running = nullptr;
jmp_buf resumer;
void (*running_body)() = nullptr;

void Run() {
  for (;;) {
    running_body();
    GiveWay();
  }
}

}  // namespace

void Resume(unsigned index, void (*body)()) {
  Fiber& fiber = fibers[index];
  running = &fiber;
  running_body = body;
  if (_setjmp(resumer) != 0) return;
  if (fiber.made) _longjmp(fiber.jump, 1);
  fiber.made = true;
  ucontext_t context;
  getcontext(&context);
  const Guarded stack = MapGuarded(kStackBytes);
  if (!stack.begin) std::abort();
  context.uc_stack.ss_sp = stack.begin;
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, Run, 0);
  setcontext(&context);
}

void GiveWay() {
  if (_setjmp(running->jump) == 0) _longjmp(resumer, 1);
}

}  // namespace flab::emulator
