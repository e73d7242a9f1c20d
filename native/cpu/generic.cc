#define FLAB_ISA generic
#define FLAB_LANES 4
#define FLAB_TILE_ROWS 6
#define FLAB_TILE_VECTORS 2
#include "cpu/impl/table.h"
