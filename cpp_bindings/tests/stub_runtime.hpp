// What tests tell the stub of ONNX Runtime, which is a library of its own.
//
// It adds the pixel spacing that is bound to a model to each pixel.
#pragma once

#include <atomic>
#include <cstdint>

namespace stub {

// A name of stub_runtime.cpp's table of functions.
enum class Call : std::uint8_t {
  none,
  get_api,
  create_env,
  create_session_options,
  set_log_severity,
  set_optimization_level,
  set_intra_op_threads,
  add_session_config_entry,
  create_session,
  create_cpu_memory_info,
  create_tensor,
  create_run_options,
  set_terminate,
  run
};

enum class Output : std::uint8_t { shifted, nan, constant };

// Threads of the library read it while the thread of the test writes. All accesses are relaxed, so
// that the stub puts nothing in order that the library leaves out of order.
struct Behaviour {
  std::atomic<Call> failing{Call::none};
  std::atomic<int> calls_before{0};  // that succeed
  std::atomic<int> failures{0};      // calls after these that fail
  std::atomic<const char*> message{""};
  std::atomic<const char*> version{"1.18.0-stub"};
  std::atomic<Output> output{Output::shifted};
  std::atomic<bool> runs_until_terminated{false};
  std::atomic<int> running{0};        // calls of run at this moment
  std::atomic<int> sessions{0};       // that are open
  std::atomic<int> other_objects{0};  // that are not yet released: tensors, options, errors
};

}  // namespace stub

extern "C" stub::Behaviour* stub_behaviour();
