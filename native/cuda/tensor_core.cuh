// Products of small tiles on tensor cores, and how their operands get into registers: the instructions mma.sync.m16n8k16, ldmatrix
// and cp.async, which every device from sm_80 on has. On the emulator each is what the PTX manual says of it.
//
// A lane's place in a tile: group = lane / 4, pair = 2 * (lane % 4). Of the result [16, 8] it holds rows group and group + 8, columns
// pair and pair + 1.
#pragma once

#include "cuda/kernel.cuh"

namespace flab::cuda {

// c [16, 8] += a [16, 16] * b [16, 8], bf16 factors, sums in f32. c[0], c[1]: row group; c[2], c[3]: row group + 8.
// a[0], a[1]: rows group and group + 8, columns pair and pair + 1; a[2], a[3]: the same rows, columns pair + 8 and + 9.
// b[0]: rows pair and pair + 1, column group; b[1]: rows pair + 8 and + 9.
__device__ __forceinline__ void MultiplyTile(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif defined(FLAB_EMULATE)
  emulator::MultiplyTile(c, a, b);
#endif
}

// Four tiles of 8 x 8 halves from shared memory. Lane i names the 16 bytes of row i % 8 of tile i / 8; r[j] gets the halves of tile j in
// row group, columns pair and pair + 1. Transposed: rows pair and pair + 1 of column group.
template <bool kTransposed = false>
__device__ __forceinline__ void LoadTiles(uint32_t (&r)[4], const Bf16* row) {
#if defined(__CUDA_ARCH__)
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  }
#elif defined(FLAB_EMULATE)
  if (reinterpret_cast<uintptr_t>(row) % 16) emulator::Refuse("loads a row of a tile that is not aligned to 16 bytes", row);
  const Bf16* const* rows = static_cast<const Bf16* const*>(emulator::Exchange("ldmatrix", &row, sizeof row));
  const int group = threadIdx.x % kWarp / 4, pair = threadIdx.x % 4 * 2;
  for (int j = 0; j < 4; ++j) {
    const Bf16 low = kTransposed ? rows[8 * j + pair][group] : rows[8 * j + group][pair];
    const Bf16 high = kTransposed ? rows[8 * j + pair + 1][group] : rows[8 * j + group][pair + 1];
    r[j] = low.bits | static_cast<uint32_t>(high.bits) << 16;
  }
#endif
}

// Starts to copy the first `bytes` of 16 to shared memory and puts zeros after them; of `global` nothing else is read. Both addresses are
// aligned to 16 bytes.
__device__ __forceinline__ void CopyAsyncPart(void* shared, const void* global, int bytes) {
#if defined(__CUDA_ARCH__)
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(bytes) : "memory");
#elif defined(FLAB_EMULATE)
  emulator::CopyLater(shared, global, bytes);
#endif
}

// All 16 bytes, or zeros where they are not valid; then `global` is not read.
__device__ __forceinline__ void CopyAsync(void* shared, const void* global, bool valid = true) { CopyAsyncPart(shared, global, valid ? 16 : 0); }

// Ends a group of copies of this thread.
__device__ __forceinline__ void EndCopies() {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#elif defined(FLAB_EMULATE)
  emulator::EndGroup();
#endif
}

// Waits until at most kLeft of this thread's groups are under way. The copies of other threads are there after a barrier.
template <int kLeft>
__device__ __forceinline__ void WaitForCopies() {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#elif defined(FLAB_EMULATE)
  emulator::WaitForGroups(kLeft);
#endif
}

}  // namespace flab::cuda
