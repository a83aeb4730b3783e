/* rgan: harmonize CT slices in memory, from C or any language that can call it.
 *
 *   rgan_model* model = NULL;
 *   rgan_engine* engine = NULL;
 *   if (rgan_model_open("b40f-to-b70f.onnx", NULL, &model) != RGAN_OK ||
 *       rgan_engine_create(model, NULL, &engine) != RGAN_OK ||
 *       rgan_harmonize(engine, hu, slices, rows, columns, 0.65, hu, NULL) != RGAN_OK) {
 *     fprintf(stderr, "%s\n", rgan_last_error());
 *   }
 *   rgan_engine_release(engine);
 *   rgan_model_release(model);
 *
 * Images. float, row by row, slice by slice, in Hounsfield units (HU): [slices][rows][columns]
 * without gaps. Distances are in millimetres.
 *
 * Ownership. What a function fills in through a pointer to a pointer belongs to the caller, who
 * releases it with the function of its type. Release functions accept NULL. Texts that are returned
 * belong to the object that they come from, and live as long as it does. Arguments are borrowed for
 * the call.
 *
 * Errors. Each function that can fail returns a status, and leaves a text for people in
 * rgan_last_error(). What was to be filled in is then unchanged. No exception gets out.
 *
 * Threads. A model never changes, so any number of threads may use one. Any thread may use an
 * engine too; calls on one engine wait for each other. An object must not be released while another
 * thread uses it.
 *
 * Structures that the caller fills in begin with their own size, so that later versions can add
 * members at the end: use the initializers, such as RGAN_ENGINE_OPTIONS_INIT.
 *
 * For research only: not a medical device, and not for diagnosis.
 */
#ifndef RGAN_RGAN_H
#define RGAN_RGAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#define RGAN_API __attribute__((visibility("default")))
#else
#define RGAN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions and errors ---------------------------------------------------------------- */

/* Raised when a program that was built with an older header no longer works with the library. */
#define RGAN_ABI_VERSION 0

/* Return the RGAN_ABI_VERSION that the library was built with. */
RGAN_API uint32_t rgan_abi_version(void);

/* Return the version of the library, such as "0.1.0". It lives for ever. */
RGAN_API const char* rgan_version(void);

typedef enum rgan_status {
  RGAN_OK = 0,
  RGAN_INVALID_ARGUMENT = 1,   /* an argument makes no sense */
  RGAN_NOT_FOUND = 2,          /* the model file cannot be read */
  RGAN_MODEL_FORMAT = 3,       /* the file is not a harmonization model, or has another hash */
  RGAN_OUTSIDE_DOMAIN = 4,     /* the model is not made for this pixel spacing */
  RGAN_ENGINE_UNAVAILABLE = 5, /* a runtime or a device is absent, or cannot run the model */
  RGAN_INFERENCE = 6,          /* the input or the output is not an image, or the runtime failed */
  RGAN_OUT_OF_MEMORY = 7,
  RGAN_CANCELLED = 8, /* the caller has asked to stop */
  RGAN_INTERNAL = 9,  /* a bug: please report it */
  RGAN_ACCURACY = 10  /* an engine has failed its self-test */
} rgan_status;

/* Return what was wrong in the last call of this thread that failed: what, which value, and what to
 * do. It lives until the next call of this thread that fails. Empty if none has failed. */
RGAN_API const char* rgan_last_error(void);

/* ---- Models ----------------------------------------------------------------------------- */

/* A model file that has passed all checks of docs/model-format.md. */
typedef struct rgan_model rgan_model;

/* Open and check a model file.
 *
 * sha256: the expected hash of the file, 64 hexadecimal digits; NULL takes any file.
 *
 * Returns RGAN_NOT_FOUND, RGAN_MODEL_FORMAT or RGAN_OUT_OF_MEMORY if that fails. */
RGAN_API rgan_status rgan_model_open(const char* path, const char* sha256, rgan_model** model);

/* Check a model file that is in memory. The bytes are copied. Otherwise like rgan_model_open. */
RGAN_API rgan_status rgan_model_open_memory(const void* bytes, size_t size, const char* sha256,
                                            rgan_model** model);

RGAN_API void rgan_model_release(rgan_model* model);

/* What most programs want to know of a model. All else is in rgan_model_card_json. */
typedef struct rgan_card {
  size_t size;    /* sizeof(rgan_card), set by the caller */
  int32_t format; /* 1, or 2: the model takes the pixel spacing into account */
  const char* name;
  const char* version;
  const char* precision;             /* "fp32", "fp16" or "int8" */
  const char* const* source_kernels; /* values of ConvolutionKernel (0018,1210) */
  size_t source_kernel_count;
  const char* target_kernel;
  double window_lower; /* HU; pixels at or beyond the ends of the window do not change */
  double window_upper;
  double pixel_spacing_min; /* mm; all three are 0 in format 1, which states none */
  double pixel_spacing_max;
  double pixel_spacing_reference;
} rgan_card;

#define RGAN_CARD_INIT {sizeof(rgan_card), 0, NULL, NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0, 0}

/* Fill in what a model is for. Returns RGAN_INVALID_ARGUMENT if size is not that of any version. */
RGAN_API rgan_status rgan_model_card(const rgan_model* model, rgan_card* card);

/* Return the whole card as it is in the file, JSON in UTF-8. */
RGAN_API const char* rgan_model_card_json(const rgan_model* model);

/* Return the SHA-256 of the file, 64 hexadecimal digits in lower case. */
RGAN_API const char* rgan_model_sha256(const rgan_model* model);

/* ---- Engines ---------------------------------------------------------------------------- */

/* A model that is ready to run. It keeps what it needs of the model, which may be released. */
typedef struct rgan_engine rgan_engine;

typedef struct rgan_engine_options {
  size_t size;           /* sizeof(rgan_engine_options) */
  const char* engine;    /* "auto", "onnxruntime" or "openvino"; NULL is "auto" */
  const char* device;    /* "auto", "cpu", "cuda" or "cuda:N"; NULL is "auto" */
  const char* precision; /* "auto", or the only one to take: "fp32", "fp16" or "int8"; NULL is
                            "auto". It is that of the model's file */
  int32_t threads;       /* that compute one slice on a CPU; 0 is one for each usable core */
  const char* runtime;   /* path of the library of the engine; with "auto", of ONNX Runtime. NULL
                            takes the environment variable RGAN_ONNXRUNTIME or RGAN_OPENVINO, or else
                            what the loader finds as libonnxruntime.so.1 or libopenvino_c.so */
} rgan_engine_options;

#define RGAN_ENGINE_OPTIONS_INIT {sizeof(rgan_engine_options), NULL, NULL, NULL, 0, NULL}

/* Load the runtime if no engine has, and get the model ready to run.
 *
 * options: NULL is RGAN_ENGINE_OPTIONS_INIT.
 *
 * "auto" takes the first that can run the model here: ONNX Runtime on CUDA, OpenVINO, ONNX Runtime
 * on the CPU; rgan_engine_description says which. An engine, a device or a precision that is named
 * never falls back to another.
 *
 * Self-test. A float32 model in ONNX Runtime on the CPU is the reference. All else first harmonizes
 * a synthetic slice, and must come as near to the reference as the model's card demands. So ONNX
 * Runtime must be there for OpenVINO too, and an engine takes some tenths of a second to create.
 *
 * CUDA needs the library of onnxruntime-gpu, and CUDA and cuDNN where the loader finds them.
 *
 * Returns RGAN_ENGINE_UNAVAILABLE if there is no runtime or it cannot run the model, and
 * RGAN_ACCURACY if a named engine fails the self-test. */
RGAN_API rgan_status rgan_engine_create(const rgan_model* model, const rgan_engine_options* options,
                                        rgan_engine** engine);

/* Return what runs the model and where, such as "onnxruntime 1.32.0 (cpu, fp32)". */
RGAN_API const char* rgan_engine_description(const rgan_engine* engine);

RGAN_API void rgan_engine_release(rgan_engine* engine);

/* ---- Stopping --------------------------------------------------------------------------- */

/* Lets another thread, or a signal handler's thread, end calls before they are complete. */
typedef struct rgan_stop rgan_stop;

RGAN_API rgan_status rgan_stop_create(rgan_stop** stop);

/* Make all calls that were given this object return RGAN_CANCELLED: those that run, soon, and those
 * that wait for their engine or begin later, at once. Any thread may call this, any number of times;
 * a signal handler must not. */
RGAN_API void rgan_stop_request(rgan_stop* stop);

RGAN_API void rgan_stop_release(rgan_stop* stop);

/* ---- Harmonize -------------------------------------------------------------------------- */

/* Called after each slice, in the thread of the call. Return 0 to stop: the call then returns
 * RGAN_CANCELLED. It must not throw, and must not call functions on the same engine. */
typedef int (*rgan_progress)(size_t done, size_t slices, void* user);

typedef struct rgan_harmonize_options {
  size_t size;            /* sizeof(rgan_harmonize_options) */
  rgan_progress progress; /* NULL: none */
  void* user;             /* handed to progress */
  rgan_stop* stop;        /* NULL: none */
  int32_t any_spacing; /* not 0: take pixel spacings that the model is not made for, and models of
                          format 1, which state none */
} rgan_harmonize_options;

#define RGAN_HARMONIZE_OPTIONS_INIT {sizeof(rgan_harmonize_options), NULL, NULL, NULL, 0}

/* Harmonize a stack of slices.
 *
 * hu, out: [slices][rows][columns] in HU, all of them finite. out may be hu itself, but must not
 *     overlap with it otherwise. Rows and columns may be any number.
 * pixel_spacing: of all slices, in mm: a value of PixelSpacing (0028,0030).
 * options: NULL is RGAN_HARMONIZE_OPTIONS_INIT.
 *
 * Each slice is computed by itself. On a CPU it gets the bits that rgan_sdk.Harmonizer gives it in
 * Python with the same runtime. If a call fails or is stopped, slices before the one at fault are
 * harmonized in out, and the others are unchanged.
 *
 * Returns RGAN_OUTSIDE_DOMAIN, RGAN_INFERENCE, RGAN_OUT_OF_MEMORY or RGAN_CANCELLED if that fails.
 */
RGAN_API rgan_status rgan_harmonize(rgan_engine* engine, const float* hu, size_t slices,
                                    size_t rows, size_t columns, double pixel_spacing, float* out,
                                    const rgan_harmonize_options* options);

#ifdef __cplusplus
}
#endif

#endif /* RGAN_RGAN_H */
