/* A backend: a shared library that computes on a device, as one table of C functions. The core knows nothing else of it, and
 * it knows nothing of models, texts or checkpoints: it is given memory of its device and plain numbers.
 *
 * Every call but those of memory and time is put into the device's one compute stream, and returns before it has been done. What
 * is computed depends on nothing but the input: the same call gives the same bits on the same device. Matrices are row-major; all
 * sizes count elements unless their name says bytes; empty input is legal everywhere. Shapes are written [rows, columns].
 *
 * A call that returns anything but FLAB_OK has done nothing; `failure` says what was wrong. After FLAB_FAULT the device is of no
 * use to this process any more, and every later call says so; the process itself goes on.
 */
#pragma once

#include <stdint.h>

/* Rises with every change of anything below. */
#define FLAB_BACKEND_VERSION 1
#define FLAB_BACKEND_ENTRY "flab_backend"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  FLAB_OK = 0,
  FLAB_NO_DRIVER = 1,      /* no driver, or none that can be used */
  FLAB_OLD_DRIVER = 2,     /* older than what the library was built for */
  FLAB_NO_DEVICE = 3,      /* none, or none of that number */
  FLAB_BUSY = 4,           /* held by another process alone */
  FLAB_UNSUPPORTED = 5,    /* the library has no code for the device, or needs what it has not */
  FLAB_OUT_OF_MEMORY = 6,  /* `asked` and `available` say how much, of the device's */
  FLAB_FAULT = 7,          /* the device failed while it computed */
  FLAB_BAD_CALL = 8        /* an argument that no correct caller passes */
} FlabCode;

typedef struct {
  int32_t code;
  int64_t asked, available; /* bytes, of FLAB_OUT_OF_MEMORY */
  char message[256];        /* the driver's words, and where they were said */
} FlabFailure;

typedef struct {
  char name[128];
  int64_t memory, available; /* bytes: of the device, and not in use now by anybody */
  int32_t major, minor;      /* compute capability */
  int32_t processors;        /* streaming multiprocessors */
  int64_t cache;             /* bytes of the L2 cache */
  int32_t driver, runtime;   /* versions, 1000 * major + 10 * minor */
} FlabDeviceInfo;

typedef enum { FLAB_F32 = 0, FLAB_F16 = 1, FLAB_BF16 = 2 } FlabDtype;

/* An opened device: its streams, events and the library of matrix products. Of any thread, one call at a time. */
typedef struct FlabDevice FlabDevice;

typedef enum { FLAB_COMPUTE = 0, FLAB_UPLOAD = 1 } FlabStream;
#define FLAB_EVENTS 16

/* out [rows, columns] = or += a [rows, depth] * weights [columns, depth]^T, summed in f32. */
typedef struct {
  const void* a;
  const void* weights;
  float* out;
  int64_t rows, columns, depth;
  int64_t a_stride, weights_stride, out_stride; /* elements from row to row */
  int32_t dtype;                                /* of a and weights: FLAB_F32 or FLAB_BF16 */
  int32_t accumulate;                           /* 1: += */
} FlabMatmul;

/* Queries, keys and values of rows as the product left them, [rows, (H + 2 K) E] f32: biases are added, heads of queries and keys
 * are normalised (where there is a weight) and rotated, and all is rounded to `dtype`. */
typedef struct {
  const float* projected;
  void* out;                             /* [rows, (H + 2 K) E] */
  const float* bias;                     /* [(H + 2 K) E], may be null */
  const float *query_norm, *key_norm;    /* [E], may be null */
  const int32_t* positions;              /* [period]: row i stands at positions[i % period] of its text */
  const float *cosines, *sines;          /* [positions, E / 2] */
  int64_t rows, period;
  int32_t query_heads, kv_heads, head_width; /* head_width: even */
  float norm_eps;
  int32_t dtype;                         /* FLAB_F32 or FLAB_BF16 */
} FlabRotate;

/* One tile of queries: of the text whose rows begin at `first_row` and that has `length` tokens, those from `first_query` on. */
typedef struct {
  int32_t first_row, length, first_query;
} FlabQueries;

/* Queries of a tile of attention. */
#define FLAB_QUERY_TILE 64

/* Causal attention within texts, softmax in f32. Head h reads keys and values of head h / (H / K). States lie one after the other:
 * row r of a text in state i is at i * state_rows + r. */
typedef struct {
  const void* qkv;           /* [states * state_rows, (H + 2 K) E], of dtype */
  void* out;                 /* [states * state_rows, H E], of dtype */
  const FlabQueries* tiles;  /* [tile_count], on the device; at most FLAB_QUERY_TILE queries each, to the end of the text */
  int64_t tile_count, states, state_rows;
  int32_t query_heads, kv_heads, head_width; /* head_width: at most 256 */
  int32_t window;            /* tokens that a token sees, itself included; 0: all before it */
  float scale;               /* positive */
  int32_t dtype;             /* FLAB_F32 or FLAB_BF16 */
} FlabAttention;

/* out [rows, neurons] = gate / (1 + e^-gate) * up, of products gate and up side by side in [rows, 2 neurons]. */
typedef struct {
  const float* gate_up;
  const float* bias;   /* [2 neurons], may be null */
  const uint8_t* keep; /* [neurons], may be null; 0: the neuron's activation is zero */
  void* out;           /* of dtype */
  double* sums;        /* [3, neurons]: of a, |a| and a^2 over the rows, added to what is there; may be null */
  float* scratch;      /* [ceil(rows / FLAB_SUM_ROWS), 3, neurons] if there are sums */
  int64_t rows, neurons;
  int32_t dtype;       /* FLAB_F32 or FLAB_BF16 */
} FlabSwiglu;

/* Rows whose activations are summed in f32 before the sums go on in doubles. */
#define FLAB_SUM_ROWS 64

/* A tile of logits [positions * group, columns]: each group is a reference and then its candidates. Columns of the tile are
 * looked at in pieces of FLAB_PIECE; piece p of the tile is piece first_piece + p of the row. */
#define FLAB_PIECE 1024

/* Sums of one piece of a row of logits l (reference) and s (candidate), with w = e^(l - max), d = s - l - guess:
 * w, w d, w (e^d - 1 - d). */
typedef struct {
  float max, guess, w, d, g;
} FlabPieceSums;

typedef struct {
  const float* logits;   /* [positions * group, stride] */
  FlabPieceSums* pieces; /* [row_pieces, all_positions, group - 1]; position i of the tile is first_position + i of all */
  int64_t positions, group, columns, stride, first_piece, first_position, all_positions;
} FlabDivergenceTile;

/* Sums for log(sum e^l) of one piece of a row. */
typedef struct {
  float max, sum;
} FlabLossPiece;

typedef struct {
  const float* logits;     /* [positions * group, stride] */
  const int32_t* targets;  /* [all_positions]: column of the row's target among all columns; negative: none, and the loss will be NaN */
  FlabLossPiece* pieces;   /* [row_pieces, all_positions, group] */
  float* target_logits;    /* [all_positions, group]: written where a target lies in this tile */
  int64_t positions, group, columns, stride, first_piece, first_position, all_positions;
} FlabLossTile;

/* Two matrices of logits, [rows, columns] each. */
typedef struct {
  const void *p, *q;
  int32_t p_dtype, q_dtype;
  int64_t rows, columns;
  FlabPieceSums* pieces; /* [ceil(columns / FLAB_PIECE), rows] */
} FlabRowDivergence;

typedef struct {
  uint32_t version, bytes; /* FLAB_BACKEND_VERSION, size of the table */
  const char* name;        /* "cuda" */

  /* What the last call of this thread that failed had to say. */
  void (*failure)(FlabFailure* failure);

  /* ---- devices ---- */
  int (*count)(int32_t* devices);
  int (*info)(int32_t index, FlabDeviceInfo* info);
  /* `products`: path of the library of matrix products, or null for the usual names, or "" for none: then a kernel of the
   * backend's own, slower. */
  int (*open)(int32_t index, const char* products, FlabDevice** device);
  void (*close)(FlabDevice* device);
  /* What computes products: the library with its version, or why there is none. Valid while the device is open. */
  const char* (*products)(const FlabDevice* device, int32_t* fast);
  /* Bytes that are not in use now by anybody. */
  int (*available)(FlabDevice* device, int64_t* bytes);

  /* ---- memory ---- */
  int (*allocate)(FlabDevice* device, int64_t bytes, void** memory); /* aligned to 256 bytes */
  void (*release)(FlabDevice* device, void* memory);
  int (*allocate_pinned)(FlabDevice* device, int64_t bytes, void** memory); /* of the host */
  void (*release_pinned)(FlabDevice* device, void* memory);
  /* From the host; `from` must be pinned and stay as it is until the stream has come past. */
  int (*upload)(FlabDevice* device, FlabStream stream, void* to, const void* from, int64_t bytes);
  /* To the host, from the compute stream; done when it returns. Any host memory. */
  int (*download)(FlabDevice* device, void* to, const void* from, int64_t bytes);
  int (*copy)(FlabDevice* device, void* to, const void* from, int64_t bytes);
  int (*clear)(FlabDevice* device, void* memory, int64_t bytes);

  /* ---- time ---- */
  int (*mark)(FlabDevice* device, FlabStream stream, int32_t event);
  int (*wait)(FlabDevice* device, FlabStream stream, int32_t event); /* the stream waits for the last mark */
  int (*wait_here)(FlabDevice* device, int32_t event);               /* the caller waits */
  int (*synchronize)(FlabDevice* device, FlabStream stream);

  /* ---- copies ---- */
  /* to[i] = from[keep[i]], rows of row_bytes. keep [count], on the device, in any order. */
  int (*gather_rows)(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to);
  /* to[keep[i]] = from[i]; no row twice. */
  int (*scatter_rows)(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to);
  /* to [rows, count] = columns keep[i] of from [rows, columns], in any order; items of 1, 2, 4 or 8 bytes, aligned to them. */
  int (*gather_columns)(FlabDevice* device, const void* from, int64_t rows, int64_t columns, int32_t item_bytes, const uint32_t* keep, int64_t count,
                        void* to);
  /* From any dtype to F32 or BF16, rounded to nearest even; a NaN stays one. */
  int (*convert)(FlabDevice* device, const void* from, int32_t from_dtype, void* to, int32_t to_dtype, int64_t count);

  /* ---- the decoder ---- */
  /* out [rows, width] f32 = rows ids[i] of table [vocabulary, width]. */
  int (*embed)(FlabDevice* device, const void* table, int32_t dtype, const int32_t* ids, int64_t rows, int64_t width, float* out);
  /* out[i] = x[row] / sqrt(mean(x[row]^2) + eps) * weight, where row is rows[i], or i if rows is null; out has `dtype` and rows of
   * out_stride elements. x [?, width]. */
  int (*rms_norm)(FlabDevice* device, const float* x, const uint32_t* rows, int64_t count, int64_t width, const float* weight, float eps, void* out,
                  int64_t out_stride, int32_t dtype);
  int (*matmul)(FlabDevice* device, const FlabMatmul* call);
  int (*rotate)(FlabDevice* device, const FlabRotate* call);
  int (*attention)(FlabDevice* device, const FlabAttention* call);
  int (*swiglu)(FlabDevice* device, const FlabSwiglu* call);
  /* x [rows, width] += bias [width]. */
  int (*add_bias)(FlabDevice* device, float* x, const float* bias, int64_t rows, int64_t width);

  /* ---- measures ---- */
  int (*divergence_tile)(FlabDevice* device, const FlabDivergenceTile* call);
  /* divergences [count], nats, of sums [row_pieces, count] whose pieces are taken in order; NaN stays NaN. */
  int (*divergence_finish)(FlabDevice* device, const FlabPieceSums* pieces, int64_t row_pieces, int64_t count, double* divergences);
  int (*loss_tile)(FlabDevice* device, const FlabLossTile* call);
  /* losses [count] = log(sum e^l) - target logit, nats. */
  int (*loss_finish)(FlabDevice* device, const FlabLossPiece* pieces, int64_t row_pieces, const float* target_logits, int64_t count, double* losses);
  int (*row_divergence)(FlabDevice* device, const FlabRowDivergence* call);
  /* cosines [rows] of rows of a and b, summed in doubles; 1 where one of them is zero. */
  int (*cosines)(FlabDevice* device, const float* a, const float* b, int64_t rows, int64_t width, double* cosines);
  /* [rows] sums of squares of the rows, and [columns] of the columns, in doubles. */
  int (*row_squares)(FlabDevice* device, const void* matrix, int32_t dtype, int64_t rows, int64_t columns, double* squares);
  int (*column_squares)(FlabDevice* device, const void* matrix, int32_t dtype, int64_t rows, int64_t columns, double* squares);
  /* out [rows, count]: ascending indices of the `count` largest of each row of scores [rows, columns]; equal ones go to the lower
   * index. No NaN. Takes its scratch from the device's memory. */
  int (*top_k)(FlabDevice* device, const double* scores, int64_t rows, int64_t columns, int64_t count, uint32_t* out);
} FlabBackend;

/* The one export of a backend's library; null if it does not know the version. Nothing of the device is touched. */
typedef const FlabBackend* (*FlabBackendEntry)(uint32_t version);

#ifdef __cplusplus
}
#endif
