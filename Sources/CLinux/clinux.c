// Makes the header-only target a real one for the linker.
#include "clinux.h"
