// Reads the fields of an object on the card. What breaks the schema throws FormatError, which names
// the field.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "json.hpp"

namespace rgan::card {

struct Limits {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

inline constexpr Limits kNotNegative{.min = 0};
inline constexpr Limits kMillimetres{.min = 0.01, .max = 100};

[[noreturn]] void refuse(const std::string& path, std::string_view expected);

double read_number(const json::Value& value, const std::string& path, Limits limits = {});
double read_integer(const json::Value& value, const std::string& path, Limits limits);
// `shortest` and `longest` count characters.
const std::string& read_text(const json::Value& value, const std::string& path,
                             std::size_t shortest = 0, std::size_t longest = -1);
const json::Array& read_array(const json::Value& value, const std::string& path,
                              std::size_t shortest = 0, std::size_t longest = -1);
std::vector<double> read_numbers(const json::Value& value, const std::string& path, Limits limits,
                                 std::size_t shortest = 0, std::size_t longest = -1);

// The fields of one object, by name. Those that were not asked for are unknown ones.
class Fields {
 public:
  // `path` is where the object is on the card, such as "window"; empty for the card itself.
  Fields(const json::Value& value, std::string path);

  // A field that must be there.
  [[nodiscard]] const json::Value& at(std::string_view name);
  // A field that may be absent: then null.
  [[nodiscard]] const json::Value* find(std::string_view name);
  // Throws if there is a field that was not asked for.
  void require_all_known() const;

  [[nodiscard]] std::string path(std::string_view name) const;

 private:
  const json::Object* object_;
  std::string path_;
  std::vector<std::string_view> known_;
};

}  // namespace rgan::card
