// What the files of a model say, so far as they can be read: each part is read apart from the
// others, so that what is wrong with one does not hide the rest.
#pragma once

#include "base/result.h"

#include <handloom/handloom.h>

#include <string>

namespace handloom::convert {

/// As the door says of inspect_model.
Result<Inspection> inspect(const std::string& path, uint32_t context);

}  // namespace handloom::convert
