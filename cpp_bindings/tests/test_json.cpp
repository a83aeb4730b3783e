// JSON texts that are made to be hard to read.

#include <limits>
#include <string>

#include "../src/model/format_error.hpp"
#include "../src/model/json.hpp"
#include "check.hpp"

namespace {

using rgan::json::Number;
using rgan::json::Object;

// The test's time limit is what shows that this takes no longer than the text is long.
void test_an_object_of_many_names() {
  constexpr int kNames = 200'000;
  std::string text = "{";
  for (const int value : {1, 2}) {
    for (int name = 0; name < kNames; ++name) {
      text += '"' + std::to_string(name) + "\":" + std::to_string(value) + ',';
    }
  }
  text.back() = '}';
  const rgan::json::Value parsed = rgan::json::parse(text);
  const Object& object = *parsed.get<Object>();
  check(object.size() == kNames);
  check(object.front().first == "0");
  check(object.back().first == std::to_string(kNames - 1));
  for (const auto& [name, value] : object) check(value.get<Number>()->value == 2);
}

double read_number(const std::string& text) { return rgan::json::parse(text).get<Number>()->value; }

// As float() reads them in Python.
void test_numbers_beyond_the_range_of_double() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const char* text :
       {"1e309", "12.5e309", "1e4611686018427387904", "12.5E+9223372036854775807",
        "0.001e9223372036854775807", "1e9223372036854775808", "1e99999999999999999999999"}) {
    check(read_number(text) == kInfinity);
    check(read_number(std::string("-") + text) == -kInfinity);
  }
  for (const char* text :
       {"1e-400", "0e9223372036854775807", "0e9223372036854775808", "1e-4611686018427387904",
        "12.5e-9223372036854775807", "1e-9223372036854775808", "1e-99999999999999999999999"}) {
    check(read_number(text) == 0);
  }
}

void test_more_values_than_a_card_may_have() {
  std::string text(2'000'002, '0');  // with the commas, a million and one zeros
  for (std::size_t i = 0; i < text.size(); i += 2) text[i] = ',';
  text.front() = '[';
  text += ']';
  try {
    (void)rgan::json::parse(text);
    check(false);
  } catch (const rgan::FormatError& error) {
    check(std::string(error.what()) == "model card: more than 1000000 values");
  }
}

}  // namespace

int main() {
  test_more_values_than_a_card_may_have();
  test_numbers_beyond_the_range_of_double();
  test_an_object_of_many_names();
  return report();
}
