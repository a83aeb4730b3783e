// The part of OpenVINO's C interface that is used here, declared anew, and its library.
//
// Like ONNX Runtime, OpenVINO is loaded when it is first needed, and a build of this library does
// not need it.
//
// Source: the headers in include/openvino/c of OpenVINO 2026.4 (Apache licence 2.0, Intel
// Corporation); names, types and values are facts of its binary interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rgan::openvino {

struct Core;
struct Model;
struct CompiledModel;
struct InferRequest;
struct Tensor;

using Status = int;  // 0 is success

struct Shape {
  std::int64_t rank;
  std::int64_t* dims;
};

struct Dimension {
  std::int64_t min;
  std::int64_t max;
};

struct PartialShape {
  Dimension rank;
  Dimension* dims;
};

struct Version {
  const char* number;
  const char* description;
};

// Its functions. A name that a release lacks is found when the library is loaded.
struct Api {
  Status (*get_version)(Version*);
  void (*free_version)(Version*);
  char* (*get_last_error)();  // a copy, for free_text; null if there is none
  void (*free_text)(const char*);
  Status (*create_core)(Core**);
  void (*free_core)(Core*);
  Status (*read_model)(const Core*, const char* content, std::size_t size, const Tensor* weights,
                       Model**);
  Status (*reshape)(const Model*, PartialShape);
  void (*free_model)(Model*);
  // `count` is that of the texts that follow: names and values of properties in turn.
  Status (*compile)(const Core*, const Model*, const char* device, std::size_t count,
                    CompiledModel**, ...);
  void (*free_compiled)(CompiledModel*);
  Status (*create_request)(const CompiledModel*, InferRequest**);
  Status (*set_input)(const InferRequest*, const Tensor*);
  Status (*set_output)(const InferRequest*, const Tensor*);
  Status (*start)(InferRequest*);
  Status (*wait)(InferRequest*);
  Status (*cancel)(InferRequest*);
  void (*free_request)(InferRequest*);
  Status (*create_tensor)(unsigned type, Shape, void* data, Tensor**);
  Status (*get_byte_size)(const Tensor*, std::size_t*);
  void (*free_tensor)(Tensor*);
};

// A loaded library and its core. Never unloaded.
class Runtime {
 public:
  // Load the library at `path`; empty takes RGAN_OPENVINO, or else what the loader finds. Throws
  // Error (RGAN_ENGINE_UNAVAILABLE), which says what was tried.
  [[nodiscard]] static std::shared_ptr<const Runtime> load(const std::string& path);

  [[nodiscard]] const Api& api() const noexcept { return api_; }
  [[nodiscard]] const Core* core() const noexcept { return core_; }
  [[nodiscard]] const std::string& version() const noexcept { return version_; }

  // The number of float32 among element types, which is another one in older releases.
  [[nodiscard]] unsigned float_type() const noexcept { return float_type_; }

  // Return what is wrong in the call that returned `status`; empty on success. OpenVINO keeps one
  // text for all threads: if two fail at the same time, one may get the other's.
  [[nodiscard]] std::string describe(Status status) const;

 private:
  explicit Runtime(void* library);

  Api api_{};
  [[nodiscard]] unsigned find_float_type() const;

  Core* core_ = nullptr;
  unsigned float_type_ = 0;
  std::string version_;
};

}  // namespace rgan::openvino
