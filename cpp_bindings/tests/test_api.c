/* The C interface, as a program in C sees it:
 *
 *   test_api MODEL.onnx
 *
 * MODEL.onnx is the packaged model b40f-to-b70f. Exits with 77, skipped, if there is no ONNX
 * Runtime to harmonize with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rgan/rgan.h"

enum { SLICES = 2, ROWS = 33, COLUMNS = 40, PIXELS = ROWS * COLUMNS };

static int failures = 0;

static void check(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not so: %s (%s)\n", what, rgan_last_error());
  ++failures;
}

static void test_errors(void) {
  rgan_model* model = NULL;
  check(rgan_model_open("no-such-file.onnx", NULL, &model) == RGAN_NOT_FOUND, "no such file");
  check(model == NULL, "a failed call fills in nothing");
  check(strstr(rgan_last_error(), "no-such-file.onnx") != NULL, "the error names the file");
  check(rgan_model_open_memory("x", 1, NULL, &model) == RGAN_MODEL_FORMAT, "not a model");
  rgan_model_release(NULL);
  rgan_engine_release(NULL);
  rgan_stop_release(NULL);
}

static void test_card(const rgan_model* model) {
  rgan_card card = RGAN_CARD_INIT;
  check(rgan_model_card(model, &card) == RGAN_OK, "there is a card");
  check(strcmp(card.name, "b40f-to-b70f") == 0, "its name");
  check(card.source_kernel_count == 1 && strcmp(card.source_kernels[0], "B40f") == 0, "from B40f");
  check(strlen(rgan_model_sha256(model)) == 64, "its hash");
}

static void test_no_runtime(const rgan_model* model) {
  rgan_engine_options options = RGAN_ENGINE_OPTIONS_INIT;
  rgan_engine* engine = NULL;
  options.runtime = "./no-such-library.so";
  check(rgan_engine_create(model, &options, &engine) == RGAN_ENGINE_UNAVAILABLE, "no runtime");
}

static void test_harmonize(rgan_engine* engine) {
  static float hu[SLICES * PIXELS];
  static float out[SLICES * PIXELS];
  for (size_t i = 0; i < SLICES * PIXELS; ++i) hu[i] = (float)(i % 700) - 800;
  for (size_t i = 0; i < COLUMNS; ++i) hu[i] = -3024; /* outside the window */
  check(rgan_harmonize(engine, hu, SLICES, ROWS, COLUMNS, 5, out, NULL) == RGAN_OUTSIDE_DOMAIN,
        "5 mm are outside the card");
  check(rgan_harmonize(engine, hu, SLICES, ROWS, COLUMNS, 0.65, out, NULL) == RGAN_OK, "harmonize");
  check(memcmp(hu, out, sizeof *hu * COLUMNS) == 0, "pixels outside the window do not change");
  check(memcmp(hu, out, sizeof hu) != 0, "others do");
  check(rgan_harmonize(engine, hu + PIXELS, 1, ROWS, COLUMNS, 0.65, hu + PIXELS, NULL) == RGAN_OK,
        "in place");
  check(memcmp(hu + PIXELS, out + PIXELS, sizeof *hu * PIXELS) == 0, "a slice alone is the same");
}

int main(int argc, char** argv) {
  rgan_model* model = NULL;
  if (argc != 2 || rgan_model_open(argv[1], NULL, &model) != RGAN_OK) {
    fprintf(stderr, "usage: test_api MODEL.onnx (%s)\n", rgan_last_error());
    return EXIT_FAILURE;
  }
  test_errors();
  test_card(model);
  test_no_runtime(model);
  rgan_engine* engine = NULL;
  const rgan_status status = rgan_engine_create(model, NULL, &engine);
  rgan_model_release(model);
  if (status == RGAN_OK) {
    test_harmonize(engine);
  } else {
    fprintf(stderr, "%s\n", rgan_last_error());
  }
  rgan_engine_release(engine);
  if (failures != 0) return EXIT_FAILURE;
  return status == RGAN_OK ? EXIT_SUCCESS : 77;
}
