// Whole files, many at a time: to Hounsfield units, and from them to derived objects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rgan/file.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/splice.hpp"
#include "rgan/thread_pool.hpp"

namespace rgan {

// One slice as it was read: what a derived object needs of it, without its pixels.
struct SourceSlice {
  Verdict verdict;  // a problem: nothing else here, nor its place in the batch, means anything
  PixelHeader header;
  std::vector<std::uint8_t> head;  // the file up to its pixel data
  std::vector<std::uint8_t> kept;  // stored values, where any pixel is padding; else empty

  // Whether all is there but the pixels, whose frame takes a decoder that is not here.
  bool is_encoded() const noexcept {
    return verdict.problem == Problem::transfer_syntax && !head.empty();
  }
};

struct ReadJob {
  std::string path;
  Stamp stamp;  // what the file must still be; a size of 0 takes it as it is
};

// Fill `hu`, `[N, rows, columns]` float, and return one slice for each job.
std::vector<SourceSlice> read_batch(const std::vector<ReadJob>& jobs, int rows, int columns,
                                    float* hu, ThreadPool& pool);

// Give an encoded slice the cells that its frame was decoded to, and fill its `hu`.
void complete(SourceSlice& slice, const std::uint8_t* cells, float* hu);

struct WriteJob {
  std::string path;                      // must not exist; is removed again after an error
  std::vector<std::uint8_t> file_meta;   // preamble, DICM and file meta information
  std::vector<EncodedElement> elements;  // of this slice alone, by ascending tag
};

struct Written {
  Verdict verdict;
  std::size_t clips = 0;  // pixels that could not be stored as computed
};

// Write the derived object of each source with its `hu`, `[N, rows, columns]`. Durable files are on
// the disk when this returns; their folder is not yet.
std::vector<Written> write_batch(const std::vector<const SourceSlice*>& sources, const float* hu,
                                 const SplicePlan& plan, const std::vector<WriteJob>& jobs,
                                 bool durable, ThreadPool& pool);

}  // namespace rgan
