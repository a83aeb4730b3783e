// The functions of the C interface that read DICOM files, called as a C program calls them. With
// sanitizers, this shows that texts and objects live as long as the header says.

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "dicom_bytes.hpp"
#include "rgan/rgan.h"

namespace {

// A folder that is removed again, with a file of each content that was put there.
class Folder {
 public:
  Folder() { std::filesystem::create_directory(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  Folder(Folder&&) = delete;
  Folder& operator=(Folder&&) = delete;

  [[nodiscard]] std::string put(const std::string& name, const bytes::Vector& content) const {
    const std::string path = path_ / name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
    return path;
  }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("rgan-c-" + std::to_string(::getpid()));
};

void test_headers_keep_their_texts() {
  const Folder folder;
  rgan_headers* headers = nullptr;
  {
    const std::string first = folder.put("1.dcm", bytes::slice());
    const std::string missing = folder.put("2.dcm", {}) + ".gone";
    const std::vector<const char*> paths = {first.c_str(), missing.c_str()};
    check(rgan_scan(paths.data(), paths.size(), 2, &headers) == RGAN_OK);
  }
  rgan_slice_header header = RGAN_SLICE_HEADER_INIT;
  check(rgan_headers_get(headers, 0, &header) == RGAN_OK);
  check(std::string_view(header.series_instance_uid) == "1.2.3.6");
  check(std::string_view(header.convolution_kernel).empty());
  check(header.rows == 4 && header.columns == 4 && header.bits_stored == 12);
  check(header.position[2] == 1.5 && header.pixel_spacing[0] == 0.5);
  check(rgan_headers_get(headers, 1, &header) == RGAN_NOT_FOUND);
  check(std::string_view(rgan_last_error())
            .ends_with("2.dcm.gone: cannot be read: No such file or directory"));
  check(std::string_view(header.sop_instance_uid) == "1.2.3.4");  // unchanged by what failed
  check(rgan_headers_get(headers, 2, &header) == RGAN_INVALID_ARGUMENT);
  rgan_headers_release(headers);
}

void test_no_files() {
  rgan_headers* headers = nullptr;
  check(rgan_scan(nullptr, 0, 0, &headers) == RGAN_OK);
  rgan_headers_release(headers);
  rgan_batch* batch = nullptr;
  check(rgan_read_batch(nullptr, nullptr, 0, 4, 4, nullptr, 0, &batch) == RGAN_OK);
  check(rgan_batch_status(batch, 0) == RGAN_INVALID_ARGUMENT);
  rgan_batch_release(batch);
}

void test_a_batch_fills_its_own_slices_only() {
  const Folder folder;
  const std::string good = folder.put("1.dcm", bytes::slice());
  const std::string bad = folder.put("2.dcm", bytes::slice_head("1.2.840.10008.1.2.1"));
  const std::vector<const char*> paths = {bad.c_str(), good.c_str()};
  std::vector<float> hu(32, 7);
  rgan_batch* batch = nullptr;
  check(rgan_read_batch(paths.data(), nullptr, 2, 4, 4, hu.data(), 0, &batch) == RGAN_OK);
  check(rgan_batch_status(batch, 0) == RGAN_SLICE_FORMAT);
  check(rgan_batch_status(batch, 1) == RGAN_OK);
  check(std::isnan(hu[0]) && std::isnan(hu[15]));
  check(hu[16] == -1024 && hu[17] == 100 - 1024);
  rgan_batch_release(batch);
}

void test_every_shorter_file_has_a_status() {
  const Folder folder;
  const bytes::Vector whole = bytes::slice();
  std::vector<std::string> names;
  std::vector<const char*> paths;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(size);
    names.push_back(folder.put(std::to_string(size), {whole.begin(), end}));
  }
  paths.reserve(names.size());
  for (const std::string& name : names) paths.push_back(name.c_str());
  std::vector<float> hu(paths.size() * 16);
  rgan_headers* headers = nullptr;
  rgan_batch* batch = nullptr;
  check(rgan_scan(paths.data(), paths.size(), 2, &headers) == RGAN_OK);
  check(rgan_read_batch(paths.data(), nullptr, paths.size(), 4, 4, hu.data(), 2, &batch) ==
        RGAN_OK);
  rgan_slice_header header = RGAN_SLICE_HEADER_INIT;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    check(rgan_headers_get(headers, i, &header) == RGAN_SLICE_FORMAT);
    check(rgan_batch_status(batch, i) == RGAN_SLICE_FORMAT);
  }
  rgan_headers_release(headers);
  rgan_batch_release(batch);
}

void test_null_is_released() {
  rgan_headers_release(nullptr);
  rgan_batch_release(nullptr);
}

}  // namespace

int main() {
  test_headers_keep_their_texts();
  test_no_files();
  test_a_batch_fills_its_own_slices_only();
  test_every_shorter_file_has_a_status();
  test_null_is_released();
  if (failures == 0) std::puts("all passed");
  return failures == 0 ? 0 : 1;
}
