// ONNX Runtime as far as librgan calls it, without computing: it fails and waits as tests tell it.

#include "stub_runtime.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "../src/engine/ort_api.hpp"

namespace rgan::ort {

struct Env {};
struct MemoryInfo {};
struct RunOptions {
  bool is_terminated;  // through atomic references
};
struct Session {
  float shift;
};
struct SessionOptions {};
struct Status {
  const char* message;
};
struct Value {
  float* data;
  std::size_t count;
};

}  // namespace rgan::ort

namespace {

using rgan::ort::Api;
using rgan::ort::Env;
using rgan::ort::MemoryInfo;
using rgan::ort::RunOptions;
using rgan::ort::Session;
using rgan::ort::SessionOptions;
using rgan::ort::Status;
using rgan::ort::Value;
using stub::Call;

constexpr auto kRelaxed = std::memory_order_relaxed;
stub::Behaviour behaviour;

// Not by `new`, which a test may have replaced.
template <typename Type>
Type* make(Type value) {
  return std::construct_at(static_cast<Type*>(std::malloc(sizeof(Type))), std::move(value));
}

Status* make_error(const char* message) {
  behaviour.other_objects.fetch_add(1, kRelaxed);
  return make(Status{message});
}

// Return the error that the test wants of this call, or null.
Status* fail(Call call) {
  if (behaviour.failing.load(kRelaxed) != call) return nullptr;
  if (behaviour.calls_before.fetch_sub(1, kRelaxed) > 0) return nullptr;
  if (behaviour.failures.fetch_sub(1, kRelaxed) <= 0) return nullptr;
  return make_error(behaviour.message.load(kRelaxed));
}

template <Call call, typename Type>
Status* create(Type** created) {
  if (Status* error = fail(call)) return error;
  behaviour.other_objects.fetch_add(1, kRelaxed);
  *created = make(Type{});
  return nullptr;
}

template <typename Type>
void release(Type* object) {
  if (object == nullptr) return;
  behaviour.other_objects.fetch_sub(1, kRelaxed);
  std::free(object);
}

template <Call call>
Status* set(SessionOptions* /*options*/, int /*value*/) {
  return fail(call);
}

Status* add_session_config_entry(SessionOptions* /*options*/, const char* /*key*/,
                                 const char* /*value*/) {
  return fail(Call::add_session_config_entry);
}

Status* create_env_with_logger(rgan::ort::LogFunction /*log*/, void* /*user*/, int /*level*/,
                               const char* /*id*/, Env** created) {
  static Env env;
  *created = &env;
  return fail(Call::create_env);
}

// The raw data of a last initializer of four bytes; 0 without one.
float find_spacing(const char* end) {
  float found = 0;
  const bool is_there = end[-6] == 0x4a && end[-5] == sizeof found;
  if (is_there) std::memcpy(&found, end - sizeof found, sizeof found);
  return found;
}

Status* create_session(const Env* /*env*/, const void* model, std::size_t size,
                       const SessionOptions* /*options*/, Session** created) {
  if (Status* error = fail(Call::create_session)) return error;
  const float shift = find_spacing(static_cast<const char*>(model) + size);
  behaviour.sessions.fetch_add(1, kRelaxed);
  *created = make(Session{shift});
  return nullptr;
}

void release_session(Session* session) {
  if (session == nullptr) return;
  behaviour.sessions.fetch_sub(1, kRelaxed);
  std::free(session);
}

Status* create_cpu_memory_info(int /*allocator*/, int /*memory*/, MemoryInfo** created) {
  return create<Call::create_cpu_memory_info>(created);
}

Status* create_tensor(const MemoryInfo* /*memory*/, void* data, std::size_t bytes,
                      const std::int64_t* /*shape*/, std::size_t /*rank*/, int /*type*/,
                      Value** created) {
  if (Status* error = create<Call::create_tensor>(created)) return error;
  **created = {static_cast<float*>(data), bytes / sizeof(float)};
  return nullptr;
}

Status* set_terminate(RunOptions* options) {
  std::atomic_ref(options->is_terminated).store(true, kRelaxed);
  return fail(Call::set_terminate);
}

void write_output(const Session& session, const Value& input, const Value& output) {
  for (std::size_t i = 0; i < input.count; ++i) output.data[i] = input.data[i] + session.shift;
  switch (behaviour.output.load(kRelaxed)) {
    case stub::Output::shifted:
      break;
    case stub::Output::nan:
      output.data[0] = std::numeric_limits<float>::quiet_NaN();
      break;
    case stub::Output::constant:
      for (std::size_t i = 0; i < input.count; ++i) output.data[i] = 1;
      break;
  }
}

// NOLINTBEGIN(misc-const-correctness): the runtime's signature
Status* run(Session* session, const RunOptions* options, const char* const* /*input_names*/,
            const Value* const* inputs, std::size_t /*input_count*/,
            const char* const* /*output_names*/, std::size_t /*output_count*/, Value** outputs) {
  // NOLINTEND(misc-const-correctness)
  if (Status* error = fail(Call::run)) return error;
  const std::atomic_ref is_terminated(const_cast<RunOptions*>(options)->is_terminated);
  behaviour.running.fetch_add(1, kRelaxed);
  while (behaviour.runs_until_terminated.load(kRelaxed) && !is_terminated.load(kRelaxed)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  behaviour.running.fetch_sub(1, kRelaxed);
  if (is_terminated.load(kRelaxed)) {
    return make_error("Exiting due to terminate flag being set to true.");
  }
  write_output(*session, *inputs[0], *outputs[0]);
  return nullptr;
}

Status* get_available_providers(char*** names, int* count) {
  static char cpu[] = "CPUExecutionProvider";
  static std::array<char*, 1> all = {cpu};
  *names = all.data();
  *count = 1;
  return nullptr;
}

const void* get_api(std::uint32_t /*version*/) {
  static const Api api = [] {
    Api table{};
    table.get_error_message = [](const Status* status) { return status->message; };
    table.create_env_with_logger = create_env_with_logger;
    table.disable_telemetry = [](const Env* /*env*/) -> Status* { return nullptr; };
    table.create_session_from_array = create_session;
    table.run = run;
    table.create_session_options = create<Call::create_session_options, SessionOptions>;
    table.set_log_severity = set<Call::set_log_severity>;
    table.set_optimization_level = set<Call::set_optimization_level>;
    table.set_intra_op_threads = set<Call::set_intra_op_threads>;
    table.create_run_options = create<Call::create_run_options, RunOptions>;
    table.set_terminate = set_terminate;
    table.create_tensor_with_data = create_tensor;
    table.create_cpu_memory_info = create_cpu_memory_info;
    table.get_available_providers = get_available_providers;
    table.add_session_config_entry = add_session_config_entry;
    table.release_available_providers = [](char** /*names*/, int /*count*/) -> Status* {
      return nullptr;
    };
    table.release_status = release<Status>;
    table.release_memory_info = release<MemoryInfo>;
    table.release_session = release_session;
    table.release_value = release<Value>;
    table.release_run_options = release<RunOptions>;
    table.release_session_options = release<SessionOptions>;
    return table;
  }();
  return behaviour.failing.load(kRelaxed) == Call::get_api ? nullptr : &api;
}

}  // namespace

extern "C" {

stub::Behaviour* stub_behaviour() { return &behaviour; }

const rgan::ort::ApiBase* OrtGetApiBase() {
  static const rgan::ort::ApiBase base{get_api, [] { return behaviour.version.load(kRelaxed); }};
  return &base;
}
}
