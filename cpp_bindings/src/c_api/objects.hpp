// What the opaque types of the C interface hold.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "../engine/engine.hpp"
#include "../model/verify.hpp"
#include "rgan/rgan.h"

struct rgan_model {
  std::shared_ptr<const rgan::VerifiedModel> verified;
  std::vector<const char*> source_kernels;  // of its card
};

struct rgan_engine {
  std::unique_ptr<rgan::Engine> engine;
};

struct rgan_stop {
  std::stop_source source;
};
