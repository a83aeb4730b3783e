// Whole files, many at a time: read into Hounsfield units, and written as derived objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "rgan/file.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/splice.hpp"
#include "rgan/status.hpp"
#include "rgan/thread_pool.hpp"

namespace rgan {

// A slice that was read: what a derived object needs of it, without its pixels. It owns all its
// data.
struct SourceSlice {
  Status status;  // if this is a problem, neither the rest nor the slice's HU mean anything
  PixelHeader header;
  std::vector<std::uint8_t> head;    // the file up to its pixel data
  std::vector<std::uint8_t> stored;  // stored values if any pixel is padding, else empty

  // Whether everything was read but the pixels, because the frame needs a decoder from outside.
  [[nodiscard]] bool is_encoded() const noexcept {
    return status.problem == Problem::transfer_syntax && !head.empty();
  }
};

struct ReadJob {
  std::string path;
  Stamp stamp;  // what the file must still be; any file will do if the size is 0
};

// Read one slice into `hu`, `[rows, columns]` float, which is undefined if there is a problem.
[[nodiscard]] SourceSlice read_slice(const ReadJob& job, int rows, int columns, float* hu) noexcept;

// Read one slice for each job. `hu`, `[N, rows, columns]` float, belongs to the caller and is
// filled in the order of the jobs; a slice with a problem leaves its place undefined. May throw
// std::bad_alloc before it begins.
[[nodiscard]] std::vector<SourceSlice> read_batch(const std::vector<ReadJob>& jobs, int rows,
                                                  int columns, float* hu, ThreadPool& pool);

// Give an encoded slice the cells that its frame was decoded to, and fill `hu`, `[rows, columns]`
// float. The slice's status says whether that worked.
void complete_slice(SourceSlice& slice, const std::uint8_t* cells, float* hu) noexcept;

struct WriteJob {
  std::string path;                      // must not exist yet; is removed again after an error
  std::vector<std::uint8_t> file_meta;   // preamble, DICM and file meta information
  std::vector<EncodedElement> elements;  // of this slice alone, in the order of their tags
};

struct WriteResult {
  Status status;
  std::size_t clips = 0;     // pixels that could not be stored as computed
  std::size_t size = 0;      // of the file, in bytes
  std::uint32_t crc32c = 0;  // of the bytes that were to be written, not read back
};

// Write the derived object of each source with its `hu`, `[N, rows, columns]` float. There is
// one source for each job. If `durable`, files are on the disk when this returns, but the entries
// in their folder may not be yet. May throw std::bad_alloc before it begins.
[[nodiscard]] std::vector<WriteResult> write_batch(const std::vector<const SourceSlice*>& sources,
                                                   const float* hu,
                                                   const HeaderTemplate& header_template,
                                                   const std::vector<WriteJob>& jobs, bool durable,
                                                   ThreadPool& pool);

}  // namespace rgan
