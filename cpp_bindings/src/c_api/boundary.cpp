#include "boundary.hpp"

#include <cstring>
#include <exception>
#include <new>
#include <system_error>

#include "../model/format_error.hpp"

namespace rgan::c_api {
namespace {

// A plain array, so that keeping a text cannot fail. What is longer is cut; a path fits.
thread_local char last_error[8192] = "";

bool is_within_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

rgan_status fail(rgan_status status, const char* text) noexcept {
  std::size_t size = ::strnlen(text, sizeof last_error);
  if (size == sizeof last_error) {
    --size;  // the NUL
    while (size > 0 && is_within_character(text[size])) --size;
  }
  std::memmove(last_error, text, size);
  last_error[size] = '\0';
  return status;
}

rgan_status fail_with_caught() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  } catch (const FormatError& error) {
    return fail(RGAN_MODEL_FORMAT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(RGAN_OUT_OF_MEMORY, "the system has not enough memory");
  } catch (const std::system_error& error) {  // no thread or no lock can be had
    return fail(RGAN_OUT_OF_MEMORY, error.what());
  } catch (const std::exception& error) {
    return fail(RGAN_INTERNAL, error.what());
  } catch (...) {
    return fail(RGAN_INTERNAL, "an unknown exception; please report this as a bug");
  }
}

}  // namespace rgan::c_api

const char* rgan_last_error(void) { return rgan::c_api::last_error; }

uint32_t rgan_abi_version(void) { return RGAN_ABI_VERSION; }

const char* rgan_version(void) { return RGAN_VERSION; }
