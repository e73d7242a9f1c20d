#define FLAB_ISA generic
#define FLAB_LANES 4
#define FLAB_TILE_ROWS 6
#include "cpu/impl/table.h"
