#include "page.h"

std::span<const handloom::web::Call> handloom::web::more_calls() { return {}; }
