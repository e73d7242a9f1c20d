#include "base/job.h"

#include "base/error.h"
#include "base/thread_pool.h"

namespace flab {

void Job::CheckCancelled() const {
  if (cancelled()) throw Error("ERR_ABORTED", "The operation was cancelled");
}

void Job::Parallel(int64_t count, const std::function<void(int64_t)>& fn) const {
  CheckCancelled();
  ThreadPool::Process().Run(count, [&](int64_t i) {
    CheckCancelled();
    fn(i);
  });
}

}  // namespace flab
