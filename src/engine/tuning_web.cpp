// A page has no folder to keep measurements in: products take the forms that the rules say.
#include "engine/tuning.h"

namespace handloom::engine {

Tuned use_measured_forms(const LoadOptions&, const AdapterInfo&, const std::set<DType>&,
                         ops::ProjectForms&) {
  return {};
}

}  // namespace handloom::engine
