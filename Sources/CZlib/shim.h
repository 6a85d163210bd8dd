// zlib, with its macros as inline functions that Swift can call.
#ifndef BERTH_CZLIB_H
#define BERTH_CZLIB_H

#include <zlib.h>

#endif
