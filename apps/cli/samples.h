// A figure measured several times.
#pragma once

#include <vector>

namespace cli {

/// At least one value, unless empty() is asked first.
class Samples {
 public:
  void add(double value);

  bool empty() const { return values_.empty(); }
  double median() const;  // of an even number of values the mean of the two in the middle
  double least() const { return values_.front(); }
  double most() const { return values_.back(); }

 private:
  std::vector<double> values_;  // sorted
};

}  // namespace cli
