/* Harmonize raw slices: float32 in HU, row by row, from standard input to standard output.
 *
 *   raw_slices MODEL.onnx ROWS COLUMNS PIXEL_SPACING <source.f32 >harmonized.f32
 *
 * ONNX Runtime is looked for as docs/embedding-c.md says.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rgan/rgan.h"

static int fail(const char* what) {
  fprintf(stderr, "raw_slices: %s: %s\n", what, rgan_last_error());
  return EXIT_FAILURE;
}

static int show_progress(size_t done, size_t slices, void* user) {
  (void)user;
  fprintf(stderr, "slice %zu of %zu\n", done, slices);
  return 1; /* 0 would stop */
}

/* Read all of standard input; the caller frees it. Returns NULL if that fails. */
static float* read_slices(size_t pixels, size_t* slices) {
  float* hu = NULL;
  for (*slices = 0;; ++*slices) {
    float* larger = realloc(hu, (*slices + 1) * pixels * sizeof *hu);
    if (larger == NULL) {
      fprintf(stderr, "raw_slices: not enough memory\n");
      break;
    }
    hu = larger;
    const size_t read = fread(hu + *slices * pixels, 1, pixels * sizeof *hu, stdin);
    if (read == 0 && feof(stdin)) return hu;
    if (read != pixels * sizeof *hu) {
      fprintf(stderr, "raw_slices: the input is not a whole number of slices, or cannot be read\n");
      break;
    }
  }
  free(hu);
  return NULL;
}

static int harmonize(rgan_engine* engine, size_t rows, size_t columns, double pixel_spacing) {
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.progress = show_progress;
  size_t slices = 0;
  float* hu = read_slices(rows * columns, &slices);
  if (hu == NULL) return EXIT_FAILURE;
  int result = EXIT_SUCCESS;
  if (rgan_harmonize(engine, hu, slices, rows, columns, pixel_spacing, hu, &options) != RGAN_OK) {
    result = fail("harmonize");
  } else if (fwrite(hu, rows * columns * sizeof *hu, slices, stdout) != slices ||
             fflush(stdout) != 0) {
    fprintf(stderr, "raw_slices: standard output cannot be written\n");
    result = EXIT_FAILURE;
  }
  free(hu);
  return result;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: raw_slices MODEL.onnx ROWS COLUMNS PIXEL_SPACING\n");
    return EXIT_FAILURE;
  }
  const size_t rows = strtoul(argv[2], NULL, 10);
  const size_t columns = strtoul(argv[3], NULL, 10);
  if (rows == 0 || columns == 0 || rows > 100000 || columns > 100000) {
    fprintf(stderr, "raw_slices: ROWS and COLUMNS must be from 1 to 100000\n");
    return EXIT_FAILURE;
  }
  rgan_model* model = NULL;
  if (rgan_model_open(argv[1], NULL, &model) != RGAN_OK) return fail("model");
  rgan_engine* engine = NULL;
  const rgan_status status = rgan_engine_create(model, NULL, &engine);
  rgan_model_release(model); /* the engine keeps what it needs */
  if (status != RGAN_OK) return fail("engine");
  fprintf(stderr, "%s\n", rgan_engine_description(engine));
  const int result = harmonize(engine, rows, columns, strtod(argv[4], NULL));
  rgan_engine_release(engine);
  return result;
}
