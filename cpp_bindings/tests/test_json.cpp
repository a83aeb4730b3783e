// JSON texts that are made to be hard to read.

#include <string>

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

}  // namespace

int main() {
  test_an_object_of_many_names();
  return report();
}
