// The door's functions on model files.
#include "convert/inspect.h"
#include "convert/quantise.h"
#include "convert/recipe.h"

namespace handloom {

std::vector<std::string> quantise_types() { return convert::recipe_names(); }

Result<QuantiseReport> quantise_model(const std::string& in, const std::string& out,
                                      const QuantiseOptions& options) {
  return convert::quantise(in, out, options);
}

Result<Inspection> inspect_model(const std::string& path, uint32_t context) {
  return convert::inspect(path, context);
}

}  // namespace handloom
