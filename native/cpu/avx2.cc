#define FLAB_ISA avx2
#define FLAB_LANES 8
#define FLAB_TILE_ROWS 6
#define FLAB_TILE_VECTORS 2
#include "cpu/impl/table.h"
