#define FLAB_ISA neon
#define FLAB_LANES 4
#define FLAB_TILE_ROWS 6
#define FLAB_TILE_VECTORS 4
#include "cpu/impl/table.h"
