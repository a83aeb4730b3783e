#include "card.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>

#include "card_fields.hpp"
#include "format_error.hpp"

namespace rgan {
namespace {

using card::Fields;
using card::kMillimetres;
using card::kNotNegative;
using card::read_array;
using card::read_integer;
using card::read_number;
using card::read_numbers;
using card::read_text;
using card::refuse;
using json::Value;

constexpr int kNewestFormat = 2;
constexpr double kSpacingTolerance = 1e-3;
constexpr std::ptrdiff_t kFewestBands = 4;  // of a spectrum that shows a kernel
constexpr std::size_t kMostSeries = 100'000;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::string read_name(const Value& value) {
  const std::string& name = read_text(value, "name", 1, 64);
  const auto is_allowed = [](char c) {
    return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-';
  };
  if (!is_lower_or_digit(name.front()) || !std::ranges::all_of(name, is_allowed)) {
    refuse("name", "lower case letters, digits, '.', '_' and '-', a letter or digit first");
  }
  return name;
}

// Three numbers with a point between them.
std::string read_version(const Value& value) {
  const std::string& version = read_text(value, "version");
  int numbers = 0;
  std::size_t begin = 0;
  for (std::size_t end = 0; begin <= version.size(); begin = end + 1, ++numbers) {
    end = std::min(version.find('.', begin), version.size());
    const auto part = std::string_view(version).substr(begin, end - begin);
    const bool is_number =
        !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) numbers = 3;  // so that the count is wrong
  }
  if (numbers != 3) refuse("version", "three numbers, such as 1.0.0");
  return version;
}

std::string read_kernel(const Value& value, const std::string& path) {
  const std::string& kernel = read_text(value, path, 1, 64);
  if (kernel.find_first_not_of("\\ ") == std::string::npos) refuse(path, "a kernel");
  return kernel;
}

void read_window(const Value& value, Card& card) {
  Fields fields(value, "window");
  constexpr card::Limits kHu{.min = -32768, .max = 32767};
  card.window_lower = read_number(fields.at("lower"), "window.lower", kHu);
  card.window_upper = read_number(fields.at("upper"), "window.upper", kHu);
  const double handover =
      read_number(fields.at("handover"), "window.handover", {.min = 0, .max = 256});
  fields.require_all_known();
  if (handover <= 0) refuse("window.handover", "a positive number");
  if (card.window_upper - card.window_lower < 2 * handover) {
    refuse("window", "at least two hand-overs of width");
  }
}

void check_training_data(const Value& value) {
  for (const Value& item : read_array(value, "training_data")) {
    Fields fields(item, "training_data");
    for (const char* name : {"name", "licence", "citation"}) {
      read_text(fields.at(name), fields.path(name));
    }
    fields.require_all_known();
  }
}

void check_quality(const Value& value) {
  for (const Value& item : read_array(value, "quality")) {
    Fields fields(item, "quality");
    for (const char* name : {"data", "metric"}) read_text(fields.at(name), fields.path(name));
    for (const char* name : {"input", "output"}) read_number(fields.at(name), fields.path(name));
    read_integer(fields.at("slices"), fields.path("slices"), {.min = 1});
    fields.require_all_known();
  }
}

std::map<std::string, ErrorBound> read_error_bounds(const Value& value) {
  std::map<std::string, ErrorBound> found;
  Fields bounds(value, "error_bounds");
  for (const char* precision : {"fp16", "bf16", "int8"}) {
    const Value* bound = bounds.find(precision);
    if (bound == nullptr) continue;
    Fields fields(*bound, bounds.path(precision));
    const auto read = [&](const char* name) {
      return read_number(fields.at(name), fields.path(name), kNotNegative);
    };
    found[precision] = {.max = read("max"), .p999 = read("p999")};
    fields.require_all_known();
  }
  bounds.require_all_known();
  return found;
}

SpacingRange read_spacing_range(const Value& value) {
  Fields fields(value, "pixel_spacing");
  const auto read = [&](const char* name) {
    return read_number(fields.at(name), fields.path(name), kMillimetres);
  };
  const SpacingRange range{.min = read("min"), .max = read("max"), .reference = read("reference")};
  fields.require_all_known();
  if (range.min > range.reference || range.reference > range.max) {
    refuse("pixel_spacing", "min <= reference <= max");
  }
  return range;
}

void check_noise(const Value& value) {
  Fields fields(value, "noise_hu");
  constexpr card::Limits kNoise{.min = 0, .max = 1000};
  const double min = read_number(fields.at("min"), "noise_hu.min", kNoise);
  const double max = read_number(fields.at("max"), "noise_hu.max", kNoise);
  fields.require_all_known();
  if (min > max) refuse("noise_hu", "min <= max");
}

void check_table(const Value& value, const std::string& path, std::size_t rows,
                 std::size_t columns) {
  if (read_array(value, path).size() != rows) refuse(path, "a row for each pixel spacing");
  for (const Value& row : *value.get<json::Array>()) {
    read_numbers(row, path, {}, columns, columns);
  }
}

void check_validity(const Value& value) {
  Fields fields(value, "validity");
  read_text(fields.at("data"), fields.path("data"));
  const std::size_t rows =
      read_numbers(fields.at("pixel_spacing"), fields.path("pixel_spacing"), kMillimetres, 1)
          .size();
  const std::size_t columns =
      read_numbers(fields.at("added_noise"), fields.path("added_noise"), kNotNegative, 1).size();
  check_table(fields.at("over_input"), fields.path("over_input"), rows, columns);
  const Value& over_linear = fields.at("over_linear");
  if (!read_array(over_linear, fields.path("over_linear")).empty()) {
    check_table(over_linear, fields.path("over_linear"), rows, columns);
  }
  fields.require_all_known();
}

// Whether a spectrum has blocks, and power in enough bands.
bool check_spectrum(Fields& fields, const std::string& kind) {
  constexpr card::Limits kPower{.min = 0, .max = 1e12};
  const auto power = read_numbers(fields.at(kind), fields.path(kind), kPower, 0, 64);
  // The name must live as long as the fields, which remember it.
  const char* blocks_name = kind == "even" ? "even_blocks" : "structure_blocks";
  const double blocks =
      read_integer(fields.at(blocks_name), fields.path(blocks_name), kNotNegative);
  const auto bands = std::ranges::count_if(power, [](double one) { return one > 0; });
  return blocks > 0 && bands >= kFewestBands;
}

void check_spectra(const Value& value, const std::string& path) {
  static const std::array<std::string, 2> kKinds = {"structure", "even"};
  std::array<bool, 2> is_shown{};
  for (const Value& item : read_array(value, path, 1, 3)) {
    Fields fields(item, path);
    read_number(fields.at("pixel_spacing"), fields.path("pixel_spacing"), kMillimetres);
    for (std::size_t i = 0; i < kKinds.size(); ++i) {
      if (check_spectrum(fields, kKinds[i])) is_shown[i] = true;
    }
    fields.require_all_known();
  }
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (!is_shown[i]) refuse(path + ": " + kKinds[i], "blocks, and power in 4 bands or more");
  }
}

void check_curves(const Value& value) {
  Fields fields(value, "curves");
  for (const char* name : {"source", "target"}) check_spectra(fields.at(name), fields.path(name));
  fields.require_all_known();
}

void check_certificate(const Value& value) {
  Fields fields(value, "certificate");
  for (const char* name : {"halves", "source_to_itself", "target_to_itself", "closure"}) {
    const Value& decibels = fields.at(name);
    if (decibels.get<std::nullptr_t>() == nullptr) {
      read_number(decibels, fields.path(name), kNotNegative);
    }
  }
  fields.require_all_known();
}

// Hashes of series, in ascending order and each once.
void check_series_seen(const Value& value) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  std::string_view last;
  for (const Value& item : read_array(value, "series_seen", 0, kMostSeries)) {
    const std::string& hash = read_text(item, "series_seen", 16, 16);
    if (!std::ranges::all_of(hash, is_digit)) refuse("series_seen", "hexadecimal digits");
    if (hash <= last) refuse("series_seen", "ascending order, and each hash once");
    last = hash;
  }
}

bool is_null(const Value* value) {
  return value == nullptr || value->get<std::nullptr_t>() != nullptr;
}

// The fields that only format 2 has.
void read_domain(Fields& fields, Card& card) {
  card.pixel_spacing = read_spacing_range(fields.at("pixel_spacing"));
  if (const Value& noise = fields.at("noise_hu"); !is_null(&noise)) check_noise(noise);
  read_numbers(fields.at("thickness_seen"), "thickness_seen", kMillimetres);
  for (const Value& kind : read_array(fields.at("reconstruction"), "reconstruction")) {
    read_text(kind, "reconstruction", 1);
  }
  if (const Value* found = fields.find("validity"); !is_null(found)) check_validity(*found);
  if (const Value* found = fields.find("curves"); !is_null(found)) check_curves(*found);
  if (const Value* found = fields.find("certificate"); !is_null(found)) check_certificate(*found);
  if (const Value* found = fields.find("series_seen")) check_series_seen(*found);
}

int read_format(const Value& value) {
  const double format = read_integer(value, "format", {.min = 1});
  if (format > kNewestFormat) {
    throw FormatError("model card: its format is newer than this software, which knows format " +
                      std::to_string(kNewestFormat) + "; update rgan");
  }
  return static_cast<int>(format);
}

}  // namespace

bool SpacingRange::contains(double spacing) const noexcept {
  return min / (1 + kSpacingTolerance) <= spacing && spacing <= max * (1 + kSpacingTolerance);
}

Card parse_card(std::string_view text) {
  const Value value = json::parse(text);
  Fields fields(value, "");
  Card card;
  card.text = text;
  card.format = read_format(fields.at("format"));
  card.name = read_name(fields.at("name"));
  card.version = read_version(fields.at("version"));
  read_window(fields.at("window"), card);
  for (const Value& kernel : read_array(fields.at("source_kernels"), "source_kernels", 1)) {
    card.source_kernels.push_back(read_kernel(kernel, "source_kernels"));
  }
  card.target_kernel = read_kernel(fields.at("target_kernel"), "target_kernel");
  for (const Value& company : read_array(fields.at("manufacturers"), "manufacturers")) {
    read_text(company, "manufacturers", 0, 64);
  }
  card.multiple =
      static_cast<int>(read_integer(fields.at("multiple"), "multiple", {.min = 1, .max = 512}));
  check_training_data(fields.at("training_data"));
  check_quality(fields.at("quality"));
  card.error_bounds = read_error_bounds(fields.at("error_bounds"));
  for (const char* name : {"intended_use", "software"}) read_text(fields.at(name), name, 1);
  if (card.format == 2) read_domain(fields, card);
  fields.require_all_known();
  return card;
}

}  // namespace rgan
