// Which messages of a runtime mean a lack of memory: runtimes have no status of their own for that.
#pragma once

#include <string_view>

namespace rgan {

[[nodiscard]] bool lacks_memory(std::string_view problem);

}  // namespace rgan
