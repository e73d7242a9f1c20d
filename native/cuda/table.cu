// The table that the library exports.

#include <exception>
#include <new>

#include "cuda/operations.h"

namespace {

using namespace flab::cuda;

// No exception leaves the library: it may be another compiler's that calls.
template <auto kOperation>
struct Entry;
template <typename... Arguments, int (*kOperation)(Arguments...)>
struct Entry<kOperation> {
  static int Run(Arguments... arguments) {
    try {
      return kOperation(arguments...);
    } catch (const std::bad_alloc&) {
      return FailWith(FLAB_OUT_OF_MEMORY, "the host has no more memory");
    } catch (const std::exception& error) {
      return FailWith(FLAB_FAULT, error.what());
    }
  }
};
template <auto kOperation>
constexpr auto kCall = Entry<kOperation>::Run;

// An operation on a device, from any thread: which device is current is a thread's own.
template <auto kOperation>
struct OnDevice;
template <typename... Arguments, int (*kOperation)(FlabDevice*, Arguments...)>
struct OnDevice<kOperation> {
  static int Run(FlabDevice* device, Arguments... arguments) {
    if (const cudaError_t error = cudaSetDevice(device->index)) return Fail(error, "choosing a device");
    cudaGetLastError();  // of what nobody asked about, such as memory given back to another device after its fault
    return kOperation(device, arguments...);
  }
};
template <auto kOperation>
constexpr auto kOn = kCall<OnDevice<kOperation>::Run>;

const FlabBackend kTable{
    .version = FLAB_BACKEND_VERSION,
    .bytes = sizeof(FlabBackend),
    .name = "cuda",
    .failure = Failure,
    .count = kCall<Count>,
    .info = kCall<Info>,
    .open = kCall<Open>,
    .close = Close,
    .products = ProductsOf,
    .available = kOn<Available>,
    .allocate = kOn<Allocate>,
    .release = Release,
    .allocate_pinned = kOn<AllocatePinned>,
    .release_pinned = ReleasePinned,
    .upload = kOn<Upload>,
    .download = kOn<Download>,
    .copy = kOn<Copy>,
    .clear = kOn<Clear>,
    .mark = kOn<Mark>,
    .wait = kOn<Wait>,
    .wait_here = kOn<WaitHere>,
    .synchronize = kOn<Synchronize>,
    .gather_rows = kOn<GatherRows>,
    .scatter_rows = kOn<ScatterRows>,
    .gather_columns = kOn<GatherColumns>,
    .convert = kOn<Convert>,
    .embed = kOn<Embed>,
    .rms_norm = kOn<RmsNorm>,
    .matmul = kOn<Matmul>,
    .rotate = kOn<Rotate>,
    .attention = kOn<Attention>,
    .swiglu = kOn<Swiglu>,
    .add_bias = kOn<AddBias>,
    .divergence_tile = kOn<DivergenceTile>,
    .divergence_finish = kOn<DivergenceFinish>,
    .loss_tile = kOn<LossTile>,
    .loss_finish = kOn<LossFinish>,
    .row_divergence = kOn<RowDivergence>,
    .cosines = kOn<Cosines>,
    .row_squares = kOn<RowSquares>,
    .column_squares = kOn<ColumnSquares>,
    .top_k = kOn<TopK>,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const FlabBackend* flab_backend(uint32_t version) {
  return version == FLAB_BACKEND_VERSION ? &kTable : nullptr;
}
