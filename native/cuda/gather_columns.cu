// Columns that are kept: to[r, i] = from[r, keep[i]].
//
// A block has a segment of kept columns, at most 16,384, and up to 16 rows. Each thread holds its columns in registers, read once for all rows.
// Of each row the window from the lowest to the highest of them comes to shared memory, 16 bytes at a time, while the row before is
// gathered there; so memory is read in whole lines, once, whatever the order of `keep`. At 7B shapes (13,440 bf16) a window is a whole
// row, 27 kB: two of them in each of two blocks are what a processor has under way.
//
// Lanes store neighbouring words of 4 bytes, 128 bytes a warp. For 512 bytes of ascending bf16 that takes shared memory and stores 12 cycles
// without a conflict of banks; 16 bytes a lane would have four lanes read from each bank, 36 cycles. Memory takes 85 (1,024 bytes of
// 2.7 TB/s over 132 processors of 1.7 GHz).
//
// A window that is too wide for shared memory, or that has more than 64 bytes for each kept column, is not copied: then each column is read
// where it lies.

#include "cuda/operations.h"
#include "cuda/tensor_core.cuh"

namespace flab::cuda {
namespace {

constexpr int kThreads = 512, kHeld = 32;  // columns of a thread at most
constexpr int64_t kSegment = kThreads * kHeld, kRows = 16;
constexpr int64_t kWindow = 48 << 10;  // bytes; two are 96 kB, where the smallest device has 99 to a block
constexpr int64_t kBurst = 64;         // bytes that memory gives at least

template <typename Item>
struct Columns {
  const Item* from;      // [rows, columns]
  const uint32_t* keep;  // [count]
  Item* to;              // [rows, count]
  int64_t rows, columns, count;
  int64_t segment, segments;  // kept columns of a block, and how many such
  int64_t block_rows;
  int64_t window;  // bytes of each of two
};

// The lowest and the highest of all threads' numbers.
__device__ __forceinline__ void FindRange(uint32_t& low, uint32_t& high) {
  constexpr int kWarps = kThreads / kWarp;
  uint2* ranges = SharedArray<uint2>(kWarps);
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    low = min(low, ShuffleXor(low, mask));
    high = max(high, ShuffleXor(high, mask));
  }
  if (threadIdx.x % kWarp == 0) ranges[threadIdx.x / kWarp] = {low, high};
  __syncthreads();
  for (int i = 0; i < kWarps; ++i) {
    low = min(low, ranges[i].x);
    high = max(high, ranges[i].y);
  }
  __syncthreads();
}

// A thread's columns: packs of kCount neighbours, pack k of the thread being pack k * kThreads + threadIdx.x of the segment.
template <typename Item, int kCount>
struct Kept {
  static constexpr int kPacks = kHeld / kCount;
  uint32_t columns[kPacks][kCount] = {};  // relative to the lowest of the segment
  uint32_t low = ~0u, high = 0;           // of the segment
  int packs;                              // of the segment

  __device__ __forceinline__ Kept(const uint32_t* keep, int64_t length) : packs(static_cast<int>(length / kCount)) {
#pragma unroll
    for (int k = 0; k < kPacks; ++k) {
      const int pack = k * kThreads + threadIdx.x;
      if (pack >= packs) break;
      for (int j = 0; j < kCount; ++j) {
        columns[k][j] = keep[pack * kCount + j];
        low = min(low, columns[k][j]);
        high = max(high, columns[k][j]);
      }
    }
    FindRange(low, high);
    for (auto& pack : columns) {
      for (uint32_t& column : pack) column -= low;
    }
  }

  // to[i] = from[kept column i]
  __device__ __forceinline__ void Gather(const Item* from, Item* to) const {
#pragma unroll
    for (int k = 0; k < kPacks; ++k) {
      const int pack = k * kThreads + threadIdx.x;
      if (pack >= packs) break;
      Pack<Item, kCount> items;
      for (int j = 0; j < kCount; ++j) items.items[j] = from[columns[k][j]];
      reinterpret_cast<Pack<Item, kCount>*>(to)[pack] = items;
    }
  }
};

// Columns read where they lie: a thread takes a pack through all rows, of four rows at a time before it stores any. from [rows, columns]
// begins at the first row, to [rows, count] at the segment too.
template <typename Item, int kCount>
__device__ __forceinline__ void GatherDirectly(const Item* __restrict__ from, int64_t columns, const uint32_t* __restrict__ keep, int64_t length,
                                               Item* __restrict__ to, int64_t count, int rows) {
  constexpr int kAtOnce = 4;
  for (int first = threadIdx.x * kCount; first < length; first += kThreads * kCount) {
    uint32_t kept[kCount];
    for (int j = 0; j < kCount; ++j) kept[j] = keep[first + j];
    for (int row = 0; row < rows; row += kAtOnce) {
      Pack<Item, kCount> items[kAtOnce] = {};
      for (int r = 0; r < kAtOnce; ++r) {
        for (int j = 0; j < kCount && row + r < rows; ++j) items[r].items[j] = from[(row + r) * columns + kept[j]];
      }
      for (int r = 0; r < kAtOnce; ++r) {
        if (row + r < rows) *reinterpret_cast<Pack<Item, kCount>*>(to + (row + r) * count + first) = items[r];
      }
    }
  }
}

// Starts to copy [from, from + bytes), by lines of 16: the first as a whole, as memory begins at a line, and of the last what is wanted,
// as memory may end there.
__device__ __forceinline__ void CopyLines(unsigned char* shared, const void* from, int64_t bytes) {
  const int before = static_cast<int>(reinterpret_cast<uintptr_t>(from) % 16), end = before + static_cast<int>(bytes);
  const unsigned char* first = static_cast<const unsigned char*>(from) - before;
  for (int i = threadIdx.x; i < end / 16; i += kThreads) CopyAsync(shared + 16 * i, first + 16 * i);
  if (threadIdx.x == 0 && end % 16 != 0) CopyAsyncPart(shared + end / 16 * 16, first + end / 16 * 16, end % 16);
}

template <typename Item, int kCount>
__global__ void __launch_bounds__(kThreads, 2) GatherColumnsKernel(Columns<Item> call) {
  const int64_t group = blockIdx.x / static_cast<uint32_t>(call.segments), part = blockIdx.x % static_cast<uint32_t>(call.segments);
  const int64_t start = part * call.segment, length = min(call.segment, call.count - start);
  const Kept<Item, kCount> kept(call.keep + start, length);
  const int64_t bytes = (static_cast<int64_t>(kept.high) - kept.low + 1) * static_cast<int64_t>(sizeof(Item));
  const bool is_direct = bytes + 15 > call.window || bytes > length * kBurst;
  const int64_t first = group * call.block_rows, last = min(first + call.block_rows, call.rows);
  const auto source = [&](int64_t row) { return call.from + row * call.columns + kept.low; };
  const auto target = [&](int64_t row) { return call.to + row * call.count + start; };
  if (is_direct) {
    GatherDirectly<Item, kCount>(call.from + first * call.columns, call.columns, call.keep + start, length, target(first), call.count, static_cast<int>(last - first));
    return;
  }
  unsigned char* shared = SharedArray<unsigned char>(2 * call.window);
  const auto window = [&](int64_t row) { return shared + (row & 1) * call.window; };
  CopyLines(window(first), source(first), bytes);
  EndCopies();
  for (int64_t row = first; row < last; ++row) {
    if (row + 1 < last) CopyLines(window(row + 1), source(row + 1), bytes);
    EndCopies();
    WaitForCopies<1>();
    __syncthreads();
    kept.Gather(reinterpret_cast<const Item*>(window(row) + reinterpret_cast<uintptr_t>(source(row)) % 16), target(row));
    __syncthreads();
  }
}

// Kept columns of a block: all that threads can hold where a whole row fits into the window, else as many as lie in 7/8 of it when they are spread
// evenly. Segments begin at 128 bytes of the output where its rows do.
int64_t SegmentOf(int64_t row_bytes, int64_t count) {
  constexpr int64_t kLeast = 1024, kStep = 128;
  const int64_t spread = row_bytes + 15 <= kWindow ? kSegment : count * (kWindow / 8 * 7) / row_bytes;
  const int64_t most = spread < kLeast ? kLeast : spread > kSegment ? kSegment : spread;
  return CeilDivide(CeilDivide(count, CeilDivide(count, most)), kStep) * kStep;
}

template <typename Item>
int Gather(FlabDevice* device, const void* from, int64_t rows, int64_t columns, const uint32_t* keep, int64_t count, void* to) {
  constexpr int64_t kItem = sizeof(Item);
  constexpr int kWord = kItem < 4 ? 4 / kItem : 1;
  if (!IsAligned(from, kItem) || !IsAligned(to, kItem)) return FailWith(FLAB_BAD_CALL, "gather_columns: the matrices are not aligned to their items");
  Columns<Item> call{static_cast<const Item*>(from), keep, static_cast<Item*>(to), rows, columns, count, 0, 0, 0, 0};
  call.segment = SegmentOf(columns * kItem, count);
  call.segments = CeilDivide(count, call.segment);
  // As many rows as leave two blocks for each processor, which is as many as run there.
  const int64_t blocks_for_all = 2 * int64_t{device->processors}, rows_for_all = CeilDivide(rows * call.segments, blocks_for_all);
  call.block_rows = rows_for_all < kRows ? rows_for_all : kRows;
  const int64_t window = CeilDivide(columns * kItem + 15, 128) * 128;
  call.window = window < kWindow ? window : kWindow;
  const dim3 blocks{static_cast<unsigned>(CeilDivide(rows, call.block_rows) * call.segments)};
  const auto run = [&](auto* kernel) { return Launch(device->compute, "GatherColumns", kernel, blocks, kThreads, static_cast<size_t>(2 * call.window), call); };
  return count % kWord == 0 && IsAligned(to, kWord * kItem) ? run(GatherColumnsKernel<Item, kWord>) : run(GatherColumnsKernel<Item, 1>);
}

}  // namespace

int GatherColumns(FlabDevice* device, const void* from, int64_t rows, int64_t columns, int32_t item_bytes, const uint32_t* keep, int64_t count, void* to) {
  if (rows == 0 || count == 0) return FLAB_OK;
  switch (item_bytes) {
    case 1: return Gather<uint8_t>(device, from, rows, columns, keep, count, to);
    case 2: return Gather<uint16_t>(device, from, rows, columns, keep, count, to);
    case 4: return Gather<uint32_t>(device, from, rows, columns, keep, count, to);
    case 8: return Gather<uint64_t>(device, from, rows, columns, keep, count, to);
    default: return FailWith(FLAB_BAD_CALL, "gather_columns: an item has 1, 2, 4 or 8 bytes");
  }
}

}  // namespace flab::cuda
