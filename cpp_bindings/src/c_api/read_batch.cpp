#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "boundary.hpp"
#include "files.hpp"
#include "rgan/batch.hpp"
#include "rgan/pixels.hpp"

struct rgan_batch {
  std::vector<rgan::c_api::Outcome> files;
};

namespace rgan::c_api {
namespace {

std::size_t count_pixels(std::int32_t rows, std::int32_t columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

void check_batch(std::size_t count, std::int32_t rows, std::int32_t columns, const float* hu) {
  require(hu != nullptr || count == 0, "hu must not be NULL");
  require(rows >= 1 && rows <= kMaxSide && columns >= 1 && columns <= kMaxSide,
          "rows and columns must be from 1 to 8192");
  const std::size_t slice = sizeof(float) * count_pixels(rows, columns);
  const std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  require(count <= most / slice, "there are too many files");
}

std::vector<ReadJob> make_jobs(std::vector<std::string> paths, const rgan_stamp* stamps) {
  std::vector<ReadJob> jobs;
  for (std::string& path : paths) {
    Stamp stamp;
    if (stamps != nullptr) {
      const rgan_stamp& given = stamps[jobs.size()];
      stamp = {.size = given.file_size, .modified_ns = given.modified_ns, .inode = given.inode};
    }
    jobs.push_back({.path = std::move(path), .stamp = stamp});
  }
  return jobs;
}

// Read a file into its place, of which nothing else is kept; or fill that with NaN.
Status read_hu(const ReadJob& job, std::int32_t rows, std::int32_t columns, float* hu) noexcept {
  const SourceSlice slice = read_slice(job, rows, columns, hu);
  if (slice.status) {
    fill_padding(slice.header, slice.stored, kPaddingHu, hu);
  } else {
    std::fill_n(hu, count_pixels(rows, columns), std::numeric_limits<float>::quiet_NaN());
  }
  return slice.status;
}

}  // namespace
}  // namespace rgan::c_api

using rgan::c_api::guarded;
using rgan::c_api::require;

rgan_status rgan_read_batch(const char* const* paths, const rgan_stamp* stamps, size_t count,
                            int32_t rows, int32_t columns, float* hu, int32_t threads,
                            rgan_batch** batch) {
  return guarded([&] {
    require(batch != nullptr, "batch must not be NULL");
    rgan::c_api::check_batch(count, rows, columns, hu);
    const auto jobs = rgan::c_api::make_jobs(rgan::c_api::copy_paths(paths, count), stamps);
    rgan::ThreadPool pool(rgan::c_api::count_readers(threads, count));
    std::vector<rgan::Status> statuses(count);
    const std::size_t pixels = rgan::c_api::count_pixels(rows, columns);
    pool.run(count, [&](std::size_t i) noexcept {
      statuses[i] = rgan::c_api::read_hu(jobs[i], rows, columns, hu + (i * pixels));
    });
    auto made = std::make_unique<rgan_batch>();
    for (std::size_t i = 0; i < count; ++i) {
      made->files.push_back(rgan::c_api::make_outcome(jobs[i].path, statuses[i]));
    }
    *batch = made.release();
  });
}

rgan_status rgan_batch_status(const rgan_batch* batch, size_t index) {
  return guarded([&] {
    require(batch != nullptr, "batch must not be NULL");
    require(index < batch->files.size(), "index must be below the number of files");
    rgan::c_api::require_success(batch->files[index]);
  });
}

// NOLINTNEXTLINE(misc-const-correctness): what is released belongs to the caller
void rgan_batch_release(rgan_batch* batch) { delete batch; }
