// TuningCache: the forms of products that were measured on a device, kept in a file of the user's
// cache folder. Natively alone: a page has no such folder.
#pragma once

#include "base/result.h"
#include "ops/project_form.h"

#include <handloom/adapter_info.h>

#include <map>
#include <string>

namespace handloom::engine {

using MeasuredForms = std::map<DType, ops::ProjectForm>;

class TuningCache {
 public:
  /// In $XDG_CACHE_HOME, or else ~/.cache, below handloom/tuning: a file for each adapter, driver
  /// and backend. Error: not_found where neither XDG_CACHE_HOME nor HOME is an absolute path.
  static Result<TuningCache> of(const AdapterInfo& adapter);

  const std::string& path() const { return path_; }
  /// Nothing if nothing was kept, or if that was with other kernels. Errors: io, and bad_format for
  /// a file that this did not write or a form that the device cannot run.
  Result<MeasuredForms> read() const;
  /// Replaces the file, whole or not at all. Errors: io.
  Result<void> write(const MeasuredForms& forms) const;

 private:
  TuningCache(std::string path, AdapterInfo adapter)
      : path_(std::move(path)), adapter_(std::move(adapter)) {}

  std::string path_;
  AdapterInfo adapter_;
};

}  // namespace handloom::engine
