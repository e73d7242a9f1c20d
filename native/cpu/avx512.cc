#define FLAB_ISA avx512
#define FLAB_LANES 16
#define FLAB_TILE_ROWS 14
#define FLAB_TILE_VECTORS 2
#include "cpu/impl/table.h"
