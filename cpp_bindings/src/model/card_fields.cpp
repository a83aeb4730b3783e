#include "card_fields.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "format_error.hpp"

namespace rgan::card {
namespace {

std::string to_text(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", number);
  return text.data();
}

void require_limits(double number, const std::string& path, Limits limits) {
  if (number >= limits.min && number <= limits.max) return;
  refuse(path, "a number from " + to_text(limits.min) + " to " + to_text(limits.max));
}

void require_count(std::size_t count, const std::string& path, std::size_t shortest,
                   std::size_t longest) {
  if (count < shortest) refuse(path, "at least " + std::to_string(shortest) + " of its parts");
  if (count > longest) refuse(path, "at most " + std::to_string(longest) + " of its parts");
}

}  // namespace

void refuse(const std::string& path, std::string_view expected) {
  throw FormatError("model card: " + path + ": expected " + std::string(expected));
}

double read_number(const json::Value& value, const std::string& path, Limits limits) {
  const auto* number = value.get<json::Number>();
  if (number == nullptr) refuse(path, "a number");
  require_limits(number->value, path, limits);
  return number->value;
}

double read_integer(const json::Value& value, const std::string& path, Limits limits) {
  const auto* number = value.get<json::Number>();
  if (number == nullptr || !number->is_integer) refuse(path, "a whole number");
  require_limits(number->value, path, limits);
  return number->value;
}

const std::string& read_text(const json::Value& value, const std::string& path,
                             std::size_t shortest, std::size_t longest) {
  const auto* text = value.get<std::string>();
  if (text == nullptr) refuse(path, "a text");
  require_count(json::count_characters(*text), path, shortest, longest);
  if (text->find('\0') != std::string::npos || !json::is_utf8(*text)) {
    refuse(path, "a text without U+0000 and without half a surrogate pair");
  }
  return *text;
}

const json::Array& read_array(const json::Value& value, const std::string& path,
                              std::size_t shortest, std::size_t longest) {
  const auto* array = value.get<json::Array>();
  if (array == nullptr) refuse(path, "a list");
  require_count(array->size(), path, shortest, longest);
  return *array;
}

std::vector<double> read_numbers(const json::Value& value, const std::string& path, Limits limits,
                                 std::size_t shortest, std::size_t longest) {
  std::vector<double> numbers;
  for (const json::Value& item : read_array(value, path, shortest, longest)) {
    numbers.push_back(read_number(item, path, limits));
  }
  return numbers;
}

Fields::Fields(const json::Value& value, std::string path)
    : object_(value.get<json::Object>()), path_(std::move(path)) {
  if (object_ == nullptr) refuse(path_.empty() ? "the whole" : path_, "an object");
}

const json::Value& Fields::at(std::string_view name) {
  const json::Value* found = find(name);
  if (found == nullptr) refuse(path(name), "this field, which is missing");
  return *found;
}

const json::Value* Fields::find(std::string_view name) {
  known_.push_back(name);
  const auto found = std::ranges::find(*object_, name, &json::Object::value_type::first);
  return found == object_->end() ? nullptr : &found->second;
}

void Fields::require_all_known() const {
  for (const auto& [name, value] : *object_) {
    if (std::ranges::find(known_, name) == known_.end()) refuse(path(name), "no such field");
  }
}

std::string Fields::path(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

}  // namespace rgan::card
