// Rows that are kept: to[i] = from[keep[i]], and to[keep[i]] = from[i].
//
// Copies at the rate of memory: rows.cuh says how. A unit is the widest access that rows and addresses are aligned to. The index of a row is
// read once by each of its threads, from one address.

#include "cuda/operations.h"
#include "cuda/rows.cuh"

namespace flab::cuda {
namespace {

template <typename Unit>
__global__ void __launch_bounds__(kRowThreads)
    CopyRowsKernel(const Unit* __restrict__ from,      // [?, units]
                   const uint32_t* __restrict__ keep,  // [rows]
                   Unit* __restrict__ to,              // [?, units]
                   RowLayout layout, bool scatter) {
  const RowShare share(layout);
  if (!share.has(0)) return;
  const int64_t kept = keep[share.row()];
  const Unit* source = from + (scatter ? share.row() : kept) * layout.units;
  Unit* target = to + (scatter ? kept : share.row()) * layout.units;
  Unit held[kRowUnits] = {};
  for (int k = 0; k < kRowUnits; ++k) {
    if (share.has(k)) held[k] = source[share.unit(k)];
  }
  for (int k = 0; k < kRowUnits; ++k) {
    if (share.has(k)) target[share.unit(k)] = held[k];
  }
}

int CopyRows(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to, bool scatter) {
  if (row_bytes == 0 || count == 0) return FLAB_OK;
  const auto run = [&](auto unit) {
    using Unit = decltype(unit);
    const RowLayout layout = LayOutRows(count, row_bytes / static_cast<int64_t>(sizeof(Unit)));
    return Launch(device->compute, "CopyRows", CopyRowsKernel<Unit>, layout.blocks(), kRowThreads, 0, static_cast<const Unit*>(from), keep, static_cast<Unit*>(to),
                  layout, scatter);
  };
  const auto is_aligned = [&](int64_t bytes) { return row_bytes % bytes == 0 && IsAligned(from, bytes) && IsAligned(to, bytes); };
  if (is_aligned(16)) return run(uint4{});
  if (is_aligned(8)) return run(uint64_t{});
  if (is_aligned(4)) return run(uint32_t{});
  if (is_aligned(2)) return run(uint16_t{});
  return run(uint8_t{});
}

}  // namespace

int GatherRows(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to) {
  return CopyRows(device, from, row_bytes, keep, count, to, false);
}

int ScatterRows(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to) {
  return CopyRows(device, from, row_bytes, keep, count, to, true);
}

}  // namespace flab::cuda
