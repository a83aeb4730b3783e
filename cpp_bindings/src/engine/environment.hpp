// The environment of the process, which one thread must not change while another one reads it.
#pragma once

#include <string>

namespace rgan {

// Return a variable; empty if it is not set. Threads wait for each other in these two functions.
[[nodiscard]] std::string read_environment(const char* name);

// Set a variable unless it is set.
void set_in_environment(const char* name, const char* value);

}  // namespace rgan
