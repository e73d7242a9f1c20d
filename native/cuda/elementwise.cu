// What takes each number once: conversions, rows of an embedding table, biases.
//
// Bound by memory: rows.cuh says how the work is laid out. A unit is a pack of four numbers (16 bytes of f32, 8 of halves), or one number
// where rows or addresses are not aligned to that.

#include <type_traits>

#include "cuda/operations.h"
#include "cuda/rows.cuh"

namespace flab::cuda {
namespace {

constexpr int kPack = 4;

template <typename From, typename To, int kCount>
__global__ void __launch_bounds__(kRowThreads)
    ConvertRowsKernel(const Pack<From, kCount>* __restrict__ from,  // [?, units]
                      const int32_t* __restrict__ ids,              // [rows]: of `from`; null: row i
                      Pack<To, kCount>* __restrict__ to,            // [rows, units]
                      RowLayout layout) {
  const RowShare share(layout);
  if (!share.has(0)) return;
  const Pack<From, kCount>* source = from + (ids ? ids[share.row()] : share.row()) * layout.units;
  Pack<From, kCount> held[kRowUnits] = {};
  for (int k = 0; k < kRowUnits; ++k) {
    if (share.has(k)) held[k] = source[share.unit(k)];
  }
  for (int k = 0; k < kRowUnits; ++k) {
    if (!share.has(k)) continue;
    Pack<To, kCount> converted;
    for (int i = 0; i < kCount; ++i) converted.items[i] = Rounded<To>(ToFloat(held[k].items[i]));
    to[share.row() * layout.units + share.unit(k)] = converted;
  }
}

template <int kCount>
__global__ void __launch_bounds__(kRowThreads)
    AddBiasKernel(Pack<float, kCount>* __restrict__ x,           // [rows, units]
                  const Pack<float, kCount>* __restrict__ bias,  // [units]
                  RowLayout layout) {
  const RowShare share(layout);
  Pack<float, kCount>* row = x + share.row() * layout.units;
  Pack<float, kCount> held[kRowUnits] = {}, added[kRowUnits] = {};
  for (int k = 0; k < kRowUnits; ++k) {
    if (share.has(k)) held[k] = row[share.unit(k)], added[k] = bias[share.unit(k)];
  }
  for (int k = 0; k < kRowUnits; ++k) {
    for (int i = 0; i < kCount; ++i) held[k].items[i] += added[k].items[i];
    if (share.has(k)) row[share.unit(k)] = held[k];
  }
}

// `rows` rows of `width` numbers, as packs of kCount.
template <int kCount, typename From, typename To>
int Convert(FlabDevice* device, const char* name, const From* from, const int32_t* ids, To* to, int64_t rows, int64_t width) {
  if (rows == 0 || width == 0) return FLAB_OK;
  const RowLayout layout = LayOutRows(rows, width / kCount);
  return Launch(device->compute, name, ConvertRowsKernel<From, To, kCount>, layout.blocks(), kRowThreads, 0, reinterpret_cast<const Pack<From, kCount>*>(from), ids,
                reinterpret_cast<Pack<To, kCount>*>(to), layout);
}

template <typename T>
bool IsPacked(const T* address) {
  return IsAligned(address, sizeof(T) * kPack);
}

template <typename From, typename To>
int ConvertAll(FlabDevice* device, const From* from, To* to, int64_t count) {
  if constexpr (std::is_same_v<From, To>) {
    return Copy(device, to, from, count * static_cast<int64_t>(sizeof(To)));
  } else {
    const int64_t packed = IsPacked(from) && IsPacked(to) ? count / kPack * kPack : 0;
    if (const int code = Convert<kPack>(device, "Convert", from, nullptr, to, 1, packed)) return code;
    return Convert<1>(device, "Convert", from + packed, nullptr, to + packed, 1, count - packed);
  }
}

// Calls `run` with the memory as what its dtype says.
template <typename Run>
int WithDtype(const void* memory, int32_t dtype, Run run) {
  if (dtype == FLAB_F32) return run(static_cast<const float*>(memory));
  if (dtype == FLAB_F16) return run(static_cast<const F16*>(memory));
  if (dtype == FLAB_BF16) return run(static_cast<const Bf16*>(memory));
  return FailWith(FLAB_BAD_CALL, "no dtype of that number");
}

}  // namespace

int Convert(FlabDevice* device, const void* from, int32_t from_dtype, void* to, int32_t to_dtype, int64_t count) {
  if (to_dtype != FLAB_F32 && to_dtype != FLAB_BF16) return FailWith(FLAB_BAD_CALL, "numbers become F32 or BF16, no other dtype");
  return WithDtype(from, from_dtype, [&](auto* numbers) {
    return to_dtype == FLAB_F32 ? ConvertAll(device, numbers, static_cast<float*>(to), count) : ConvertAll(device, numbers, static_cast<Bf16*>(to), count);
  });
}

int Embed(FlabDevice* device, const void* table, int32_t dtype, const int32_t* ids, int64_t rows, int64_t width, float* out) {
  return WithDtype(table, dtype, [&](auto* numbers) {
    const bool is_packed = width % kPack == 0 && IsPacked(numbers) && IsPacked(out);
    return is_packed ? Convert<kPack>(device, "Embed", numbers, ids, out, rows, width) : Convert<1>(device, "Embed", numbers, ids, out, rows, width);
  });
}

int AddBias(FlabDevice* device, float* x, const float* bias, int64_t rows, int64_t width) {
  if (rows == 0 || width == 0) return FLAB_OK;
  const auto run = [&](auto count) {
    using Unit = Pack<float, count()>;
    const RowLayout layout = LayOutRows(rows, width / count());
    return Launch(device->compute, "AddBias", AddBiasKernel<count()>, layout.blocks(), kRowThreads, 0, reinterpret_cast<Unit*>(x), reinterpret_cast<const Unit*>(bias),
                  layout);
  };
  const bool is_packed = width % kPack == 0 && IsPacked(x) && IsPacked(bias);
  return is_packed ? run(std::integral_constant<int, kPack>()) : run(std::integral_constant<int, 1>());
}

}  // namespace flab::cuda
