// The part of ONNX Runtime's C interface that is used here, declared anew.
//
// The wheels of ONNX Runtime hold its library without headers, and a build of this one must not
// need them. The interface is a table of functions in a fixed order, to which later versions only
// append. The functions named here are in version 11 of the table, which releases since 1.11 give.
//
// Source: onnxruntime_c_api.h of ONNX Runtime (MIT licence, Microsoft Corporation); names and order
// are facts of its binary interface.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rgan::ort {

struct CudaOptions;
struct Env;
struct MemoryInfo;
struct RunOptions;
struct Session;
struct SessionOptions;
struct Status;
struct Value;

inline constexpr std::uint32_t kApiVersion = 11;

struct ApiBase {
  const void* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

// Receives the runtime's messages.
using LogFunction = void (*)(void* user, int level, const char* category, const char* log_id,
                             const char* place, const char* message);

// Values of its enumerations.
inline constexpr int kWarning = 2;            // OrtLoggingLevel
inline constexpr int kAllOptimizations = 99;  // GraphOptimizationLevel
inline constexpr int kDeviceAllocator = 0;    // OrtAllocatorType
inline constexpr int kDefaultMemory = 0;      // OrtMemType
inline constexpr int kFloat = 1;              // ONNXTensorElementDataType

// Version 11 of the table, as far as it is used. Functions that are not used are counted, not
// named.
struct Api {
  using Unused = void (*)();

  Unused create_status;
  Unused get_error_code;
  const char* (*get_error_message)(const Status*);
  Unused create_env;
  Status* (*create_env_with_logger)(LogFunction, void* user, int level, const char* id, Env**);
  Unused enable_telemetry;
  Status* (*disable_telemetry)(const Env*);
  Unused create_session;
  Status* (*create_session_from_array)(const Env*, const void* model, std::size_t size,
                                       const SessionOptions*, Session**);
  Status* (*run)(Session*, const RunOptions*, const char* const* input_names,
                 const Value* const* inputs, std::size_t input_count,
                 const char* const* output_names, std::size_t output_count, Value** outputs);
  Status* (*create_session_options)(SessionOptions**);
  Unused unused_11_to_21[11];
  Status* (*set_log_severity)(SessionOptions*, int level);
  Status* (*set_optimization_level)(SessionOptions*, int level);
  Status* (*set_intra_op_threads)(SessionOptions*, int count);
  Unused unused_25_to_38[14];
  Status* (*create_run_options)(RunOptions**);
  Unused unused_40_to_45[6];
  Status* (*set_terminate)(RunOptions*);
  Unused unused_47_to_48[2];
  Status* (*create_tensor_with_data)(const MemoryInfo*, void* data, std::size_t bytes,
                                     const std::int64_t* shape, std::size_t rank, int type,
                                     Value**);
  Unused unused_50_to_68[19];
  Status* (*create_cpu_memory_info)(int allocator, int memory, MemoryInfo**);
  Unused unused_70_to_91[22];
  void (*release_env)(Env*);
  void (*release_status)(Status*);
  void (*release_memory_info)(MemoryInfo*);
  void (*release_session)(Session*);
  void (*release_value)(Value*);
  void (*release_run_options)(RunOptions*);
  Unused unused_98_to_99[2];
  void (*release_session_options)(SessionOptions*);
  Unused unused_101_to_124[24];
  Status* (*get_available_providers)(char*** names, int* count);
  Status* (*release_available_providers)(char** names, int count);
  Unused unused_127_to_129[3];
  Status* (*add_session_config_entry)(SessionOptions*, const char* key, const char* value);
  Unused unused_131_to_203[73];
  Status* (*append_cuda)(SessionOptions*, const CudaOptions*);
  Status* (*create_cuda_options)(CudaOptions**);
  Status* (*update_cuda_options)(CudaOptions*, const char* const* keys, const char* const* values,
                                 std::size_t count);
  Unused unused_207;
  void (*release_cuda_options)(CudaOptions*);
  Unused append_migraphx;
};

// The numbers that ONNX Runtime itself asserts for the last functions of versions 4 and 11.
static_assert(offsetof(Api, release_available_providers) / sizeof(Api::Unused) == 126);
static_assert(offsetof(Api, append_migraphx) / sizeof(Api::Unused) == 209);
static_assert(offsetof(Api, create_env_with_logger) / sizeof(Api::Unused) == 4);
static_assert(offsetof(Api, run) / sizeof(Api::Unused) == 9);
static_assert(offsetof(Api, create_run_options) / sizeof(Api::Unused) == 39);
static_assert(offsetof(Api, create_tensor_with_data) / sizeof(Api::Unused) == 49);
static_assert(offsetof(Api, create_cpu_memory_info) / sizeof(Api::Unused) == 69);
static_assert(offsetof(Api, release_env) / sizeof(Api::Unused) == 92);
static_assert(offsetof(Api, add_session_config_entry) / sizeof(Api::Unused) == 130);
static_assert(offsetof(Api, append_cuda) / sizeof(Api::Unused) == 204);

}  // namespace rgan::ort
