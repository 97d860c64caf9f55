#include "samples.h"

#include <algorithm>

namespace cli {

void Samples::add(double value) { values_.insert(std::ranges::upper_bound(values_, value), value); }

double Samples::median() const {
  const size_t n = values_.size();
  return n % 2 == 1 ? values_[n / 2] : (values_[n / 2 - 1] + values_[n / 2]) / 2;
}

}  // namespace cli
