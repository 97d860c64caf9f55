// The door's functions on model files.
#include "convert/quantise.h"
#include "convert/recipe.h"

namespace handloom {

std::vector<std::string> quantise_types() { return convert::recipe_names(); }

Result<QuantiseReport> quantise_model(const std::string& in, const std::string& out,
                                      const QuantiseOptions& options) {
  return convert::quantise(in, out, options);
}

}  // namespace handloom
