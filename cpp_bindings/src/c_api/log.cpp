#include "../log.hpp"

void rgan_set_log(rgan_log log, void* user, rgan_log_level least) {
  rgan::set_log(log, user, least);
}
