#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "../model/format_error.hpp"
#include "../model/sha256.hpp"
#include "boundary.hpp"
#include "objects.hpp"

namespace rgan::c_api {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

std::vector<std::uint8_t> read_file(const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    throw Error(RGAN_NOT_FOUND, path + ": the model cannot be read (" + why + ")");
  };
  std::error_code problem;
  const std::uintmax_t size = std::filesystem::file_size(path, problem);
  if (problem) refuse(problem.message());
  if (!std::filesystem::is_regular_file(path, problem)) refuse("not a regular file");
  if (size > kMaxModelBytes) throw FormatError(path + ": more bytes than the limit of 1 GiB");
  std::vector<std::uint8_t> content(size);
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) refuse(std::strerror(errno));
  if (std::fread(content.data(), 1, size, file.get()) != size) {
    refuse(std::ferror(file.get()) != 0 ? std::strerror(errno) : "it got shorter");
  }
  return content;
}

void check_hash(Bytes content, const std::string& wanted) {
  const auto is_hexadecimal = [](unsigned char digit) { return std::isxdigit(digit) != 0; };
  require(wanted.size() == 64 && std::ranges::all_of(wanted, is_hexadecimal),
          "sha256 must have 64 hexadecimal digits");
  const std::string found = sha256(content);
  const auto same = [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); };
  if (std::ranges::equal(found, wanted, same)) return;
  throw FormatError("sha256 is " + found + ", expected " + wanted +
                    "; the file is damaged or was replaced, get it again from its source");
}

// `path` is empty for a model in memory.
rgan_model* make_model(std::vector<std::uint8_t> content, const char* sha256,
                       const std::string& path) {
  const std::string prefix = path.empty() ? "" : path + ": ";
  try {
    if (sha256 != nullptr) check_hash(content, sha256);
    auto verified = std::make_shared<VerifiedModel>(verify(std::move(content)));
    auto model = std::make_unique<rgan_model>();
    for (const std::string& kernel : verified->card.source_kernels) {
      model->source_kernels.push_back(kernel.c_str());
    }
    model->verified = std::move(verified);
    return model.release();
  } catch (const FormatError& error) {
    throw FormatError(prefix + error.what());
  }
}

}  // namespace
}  // namespace rgan::c_api

using rgan::c_api::guarded;
using rgan::c_api::require;

rgan_status rgan_model_open(const char* path, const char* sha256, rgan_model** model) {
  return guarded([&] {
    require(path != nullptr && model != nullptr, "path and model must not be NULL");
    *model = rgan::c_api::make_model(rgan::c_api::read_file(path), sha256, path);
  });
}

rgan_status rgan_model_open_memory(const void* bytes, size_t size, const char* sha256,
                                   rgan_model** model) {
  return guarded([&] {
    require(bytes != nullptr && model != nullptr, "bytes and model must not be NULL");
    if (size > rgan::kMaxModelBytes) throw rgan::FormatError("more bytes than the limit of 1 GiB");
    const auto* begin = static_cast<const std::uint8_t*>(bytes);
    *model = rgan::c_api::make_model({begin, begin + size}, sha256, "");
  });
}

// NOLINTNEXTLINE(misc-const-correctness): what is released belongs to the caller
void rgan_model_release(rgan_model* model) { delete model; }

rgan_status rgan_model_card(const rgan_model* model, rgan_card* card) {
  return guarded([&] {
    require(model != nullptr && card != nullptr, "model and card must not be NULL");
    require(card->size == sizeof *card, "card: set size to sizeof(rgan_card)");
    const rgan::Card& found = model->verified->card;
    const rgan::SpacingRange spacing = found.pixel_spacing.value_or(rgan::SpacingRange{});
    *card = {.size = sizeof *card,
             .format = found.format,
             .name = found.name.c_str(),
             .version = found.version.c_str(),
             .precision = rgan::to_name(model->verified->precision),
             .source_kernels = model->source_kernels.data(),
             .source_kernel_count = model->source_kernels.size(),
             .target_kernel = found.target_kernel.c_str(),
             .window_lower = found.window_lower,
             .window_upper = found.window_upper,
             .pixel_spacing_min = spacing.min,
             .pixel_spacing_max = spacing.max,
             .pixel_spacing_reference = spacing.reference};
  });
}

const char* rgan_model_card_json(const rgan_model* model) {
  return model == nullptr ? "" : model->verified->card.text.c_str();
}

const char* rgan_model_sha256(const rgan_model* model) {
  return model == nullptr ? "" : model->verified->sha256.c_str();
}
