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
  RGAN_NOT_FOUND = 2,          /* a file cannot be read */
  RGAN_MODEL_FORMAT = 3,       /* the file is not a harmonization model, or has another hash */
  RGAN_OUTSIDE_DOMAIN = 4,     /* the model is not made for this pixel spacing */
  RGAN_ENGINE_UNAVAILABLE = 5, /* a runtime or a device is absent, or cannot run the model */
  RGAN_INFERENCE = 6,          /* the input or the output is not an image, or the runtime failed */
  RGAN_OUT_OF_MEMORY = 7,
  RGAN_CANCELLED = 8,    /* the caller has asked to stop */
  RGAN_INTERNAL = 9,     /* a bug: please report it */
  RGAN_ACCURACY = 10,    /* an engine has failed its self-test */
  RGAN_SLICE_FORMAT = 11 /* the file is not a slice that is read here */
} rgan_status;

/* Return what was wrong in the last call of this thread that failed: what, which value, and what to
 * do. It lives until the next call of this thread that fails. Empty if none has failed. What is
 * longer than 8191 bytes is cut between two characters. */
RGAN_API const char* rgan_last_error(void);

/* ---- Log -------------------------------------------------------------------------------- */

typedef enum rgan_log_level {
  RGAN_LOG_DEBUG = 1,   /* a session of the runtime is opened */
  RGAN_LOG_INFO = 2,    /* which runtime was loaded, what runs a model, what "auto" passed over */
  RGAN_LOG_WARNING = 3, /* memory was short; a warning of the runtime */
  RGAN_LOG_ERROR = 4    /* an error of the runtime, beside the status that the caller gets */
} rgan_log_level;

/* Called with one line of text for people, without a line break at its end. It lives for the call.
 *
 * Any thread may call it, and several may at once: those of the caller, and those of the runtime.
 * It must not throw, must not call functions of this library, and must not wait for a thread that
 * may be in one of them: that thread may need a lock that is held while a message is logged. */
typedef void (*rgan_log)(rgan_log_level level, const char* text, void* user);

/* Say where messages go. Until then, nothing is logged. One log serves the whole process.
 *
 * log: NULL turns it off.
 * user: handed to log.
 * least: messages below this level are dropped.
 *
 * Any thread may call this at any time. When it returns, the log that was set before is not being
 * called, and won't be any more. No text holds anything of an image or a patient; a path may be in
 * it. */
RGAN_API void rgan_set_log(rgan_log log, void* user, rgan_log_level least);

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
  int32_t threads;       /* that compute one slice on a CPU, at most 1024; 0 is one for each
                            usable core */
  const char* runtime;   /* path of the library of the engine; with "auto", of ONNX Runtime. NULL
                            takes the environment variable RGAN_ONNXRUNTIME or RGAN_OPENVINO, or else
                            what the loader finds as libonnxruntime.so.1, libonnxruntime.so
                            or libopenvino_c.so */
} rgan_engine_options;

#define RGAN_ENGINE_OPTIONS_INIT {sizeof(rgan_engine_options), NULL, NULL, NULL, 0, NULL}

/* Load the runtime if no engine has, and get the model ready to run.
 *
 * options: NULL is RGAN_ENGINE_OPTIONS_INIT.
 *
 * "auto" takes the first that can run the model here: ONNX Runtime on CUDA, OpenVINO (not if
 * `runtime` is given), ONNX Runtime on the CPU; rgan_engine_description says which. An engine, a
 * device or a precision that is named never falls back to another.
 *
 * Self-test. A float32 model in ONNX Runtime on the CPU is the reference. All else first harmonizes
 * a synthetic slice, and must come as near to the reference as the model's card demands. So ONNX
 * Runtime must be there for OpenVINO too, and an engine takes some tenths of a second to create.
 *
 * ONNX Runtime must be 1.18 or later. CUDA needs the library of onnxruntime-gpu, and CUDA and cuDNN
 * where the loader finds them.
 *
 * Environment. RGAN_ONNXRUNTIME and RGAN_OPENVINO are read in this call, and ORT_DISABLE_TELEMETRY
 * is set to 1 unless it is set: ONNX Runtime then reports nothing to its maker. So no other thread
 * may change the environment, or read it, during the call. Several threads may call this function
 * at once. If ORT_DISABLE_TELEMETRY is set before, nothing is changed, and all threads may read.
 *
 * Returns RGAN_ENGINE_UNAVAILABLE if there is no runtime or it cannot run the model, or if no
 * float32 model can be made of it for the self-test; RGAN_ACCURACY if a named engine fails the
 * self-test; and RGAN_OUT_OF_MEMORY if there was no memory for one that is named, or for one of
 * those that "auto" has tried in vain. */
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
  int32_t reserved;    /* 0 */
} rgan_harmonize_options;

#define RGAN_HARMONIZE_OPTIONS_INIT {sizeof(rgan_harmonize_options), NULL, NULL, NULL, 0, 0}

/* Harmonize a stack of slices.
 *
 * hu, out: [slices][rows][columns] in HU, all of them finite. out may be hu itself, but must not
 *     overlap with it otherwise. Rows and columns may be any number. Padding must be -3024 HU in
 *     hu: its own value may be that of tissue, and image pixels beside it would come out wrong. It
 *     is -3024 HU in out too, because that lies below the model's window.
 * pixel_spacing: of all slices, in mm: the mean of both values of PixelSpacing (0028,0030), as in
 *     Python.
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

/* ---- Stored values ---------------------------------------------------------------------- */

typedef enum rgan_stored_type { RGAN_INT16 = 1, RGAN_UINT16 = 2 } rgan_stored_type;

/* What the stored values of a slice mean: HU = stored * slope + intercept. */
typedef struct rgan_stored_format {
  size_t size;           /* sizeof(rgan_stored_format) */
  rgan_stored_type type; /* PixelRepresentation (0028,0103): 1 is RGAN_INT16, 0 is RGAN_UINT16 */
  int32_t bits_stored;   /* BitsStored (0028,0101), 1 to 16; 0 is 16 */
  double slope;          /* RescaleSlope (0028,1053), not 0. The initializer has no good value */
  double intercept;      /* RescaleIntercept (0028,1052) */
  int32_t has_padding; /* not 0: stored values between the two below, both included, are padding */
  int32_t padding_value; /* PixelPaddingValue (0028,0120), as a number of the type */
  int32_t padding_limit; /* PixelPaddingRangeLimit (0028,0121); the value again if it is absent */
  int32_t reserved;      /* 0 */
} rgan_stored_format;

#define RGAN_STORED_FORMAT_INIT {sizeof(rgan_stored_format), (rgan_stored_type)0, 0, 0, 0, 0, 0, 0, 0}

/* Harmonize a stack of slices of stored values, 16 bits for each pixel.
 *
 * stored, out: [slices][rows][columns] of the format's type. out may be stored itself, but must not
 *     overlap with it otherwise.
 * format: of all slices.
 * clips: becomes the number of pixels that could not be stored as computed, in the slices that are
 *     done. NULL: not wanted.
 * All else is as for rgan_harmonize. Other threads' calls on the engine may run between two slices.
 *
 * The result has the bits that Python writes for the same slice with the same runtime:
 * - Rounding. A harmonized pixel is stored as (HU - intercept) / slope in double precision, rounded
 *   to the nearest whole number, and to the even one if two are as near.
 * - Clipping. What is beyond the least or the greatest value of bits_stored becomes that value.
 * - Padding. The model sees -3024 HU there, whatever its stored value stands for. In out it is as
 *   it was, bit for bit. If a harmonized pixel would be stored as padding, it gets the nearest value
 *   beside the padding instead, and counts as a clip.
 * - Bits above bits_stored mean nothing: in out they repeat the sign, or are 0. Padding is looked
 *   for with these bits too, because some scanners mark it there. HighBit (0028,0102) must be
 *   bits_stored - 1, as it is in nearly all files.
 *
 * Returns RGAN_INVALID_ARGUMENT also if the slope is 0, or slope and intercept are not finite or so
 * large that HU were not finite in single precision. */
RGAN_API rgan_status rgan_harmonize_stored(rgan_engine* engine, const void* stored, size_t slices,
                                           size_t rows, size_t columns,
                                           const rgan_stored_format* format, double pixel_spacing,
                                           void* out, size_t* clips,
                                           const rgan_harmonize_options* options);

/* ---- DICOM files ------------------------------------------------------------------------ */

/* For programs that have no DICOM reader of their own. It reads single-frame images of 8 or 16 bits
 * in Implicit and Explicit VR Little Endian and in RLE, and refuses a file that it does not
 * understand in full: other transfer syntaxes, texts that are not plain ASCII in the attributes
 * below, and whatever does not plainly follow the standard. It takes any such image for a slice.
 * Whether it is one is for the caller to judge, by sop_class_uid, modality and image_type.
 *
 * A path that is a symbolic link itself is refused; links among its folders are followed. A file is never larger than 512 MiB. */

/* Shows whether a file is still the one that was found. This structure never grows. */
typedef struct rgan_stamp {
  int64_t file_size;   /* bytes; 0 stands for any file */
  int64_t modified_ns; /* time of the last change in nanoseconds since 1970; beyond the years 1677
                          and 2262, the nearest that fits */
  uint64_t inode;
} rgan_stamp;

/* The header of a slice. Texts have no padding, and are empty if the attribute is absent. */
typedef struct rgan_slice_header {
  size_t size; /* sizeof(rgan_slice_header), set by the caller */
  rgan_stamp stamp;
  const char* sop_class_uid;
  const char* sop_instance_uid;
  const char* study_instance_uid;
  const char* series_instance_uid;
  const char* frame_of_reference_uid;
  const char* patient_id;
  const char* modality;
  const char* image_type; /* all values, separated by backslashes */
  const char* photometric_interpretation;
  const char* manufacturer;
  const char* convolution_kernel; /* all values, separated by backslashes */
  const char* rescale_type;       /* "HU"; "" or "US" may be something else than HU */
  int32_t rows;
  int32_t columns;
  int32_t bits_allocated; /* 8 or 16 */
  int32_t bits_stored;
  int32_t is_signed; /* PixelRepresentation: 1 if stored values are signed, else 0 */
  double slope;
  double intercept;
  int32_t has_padding; /* 1 if there is a PixelPaddingValue, else 0 */
  int32_t padding_low; /* both included */
  int32_t padding_high;
  double pixel_spacing[2]; /* mm, between rows and between columns; harmonize with their mean */
  double slice_thickness;  /* mm; 0 if it is absent */
  double orientation[6];   /* ImageOrientationPatient (0020,0037) */
  double position[3];      /* ImagePositionPatient (0020,0032), mm */
} rgan_slice_header;

#define RGAN_SLICE_HEADER_INIT \
  {sizeof(rgan_slice_header),  \
   {0, 0, 0},                  \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   NULL,                       \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   0,                          \
   {0, 0},                     \
   0,                          \
   {0, 0, 0, 0, 0, 0},         \
   {0, 0, 0}}

/* The headers of some files, each with a status of its own. They never change, so any number of
 * threads may use them. */
typedef struct rgan_headers rgan_headers;

/* Read the headers of files, as a rule with one short read for each.
 *
 * paths: count of them. NULL if count is 0.
 * threads: that read, at most 1024; 0 is one for each core that may be used.
 *
 * A file that cannot be read does not stop the others: see rgan_headers_get. */
RGAN_API rgan_status rgan_scan(const char* const* paths, size_t count, int32_t threads,
                               rgan_headers** headers);

/* Fill in the header of the file at paths[index]. Its texts live as long as headers.
 *
 * Returns RGAN_NOT_FOUND, RGAN_SLICE_FORMAT or RGAN_OUT_OF_MEMORY if the file could not be read;
 * rgan_last_error() then names file and attribute, and never holds a value of it. */
RGAN_API rgan_status rgan_headers_get(const rgan_headers* headers, size_t index,
                                      rgan_slice_header* header);

RGAN_API void rgan_headers_release(rgan_headers* headers);

/* What became of the files of a batch. It never changes. */
typedef struct rgan_batch rgan_batch;

/* Read the pixels of files.
 *
 * paths: count of them, in the order that hu gets them in. NULL if count is 0.
 * stamps: of the files, from their headers: a file with another stamp is not read. NULL takes any.
 * rows, columns: of every slice, 1 to 8192.
 * hu: [count][rows][columns], filled with HU; padding that a file declares is -3024 HU, as
 *     rgan_harmonize needs it. A slice whose file cannot be read is filled with NaN, which
 *     rgan_harmonize refuses.
 * threads: as for rgan_scan.
 * batch: says of each file whether it was read.
 *
 * A file that cannot be read does not stop the others: see rgan_batch_status. If the call itself
 * fails, hu is unchanged, or a part of it is filled. */
RGAN_API rgan_status rgan_read_batch(const char* const* paths, const rgan_stamp* stamps,
                                     size_t count, int32_t rows, int32_t columns, float* hu,
                                     int32_t threads, rgan_batch** batch);

/* Return whether the file at paths[index] was read: RGAN_OK, or a status and a text as those of
 * rgan_headers_get. */
RGAN_API rgan_status rgan_batch_status(const rgan_batch* batch, size_t index);

RGAN_API void rgan_batch_release(rgan_batch* batch);

#ifdef __cplusplus
}
#endif

#endif /* RGAN_RGAN_H */
