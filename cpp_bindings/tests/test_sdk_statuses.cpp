// Which status a failure has where several could be meant.

#include "sdk.hpp"

namespace {

using sdk::Failing;
using sdk::says;
using stub::Call;

constexpr const char* kNoMemory = "Failed to allocate memory for requested buffer";

void test_no_memory_for_a_tensor() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const std::vector<float> hu = sdk::make_hu(1);
  std::vector<float> out = hu;
  {
    const Failing failing(Call::create_tensor, kNoMemory);
    check(sdk::harmonize(engine.get(), hu, out) == RGAN_OK);
    check(out == sdk::shift(hu));
  }
  const Failing failing(Call::create_tensor, kNoMemory, 2);
  check(sdk::harmonize(engine.get(), hu, out) == RGAN_OUT_OF_MEMORY);
}

}  // namespace

int main() {
  test_no_memory_for_a_tensor();
  check(sdk::stub_runtime().sessions == 0);
  check(sdk::stub_runtime().other_objects == 0);
  return report();
}
