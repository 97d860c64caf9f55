#include "base/md5.h"
#include "base/parallel.h"
#include "formats/mlc_sums.h"

namespace handloom::formats {

Result<void> check_mlc_sums(std::span<const MlcShard> shards, std::span<const MappedFile> files) {
  std::vector<std::string> sums(shards.size());
  parallel_for(shards.size(), [&](size_t i) {
    if (!shards[i].md5.empty()) sums[i] = md5_hex(files[i].bytes());
  });
  for (size_t i = 0; i < shards.size(); ++i) {
    if (sums[i] == shards[i].md5) continue;
    return fail(ErrorCode::bad_format, "{}: has md5 sum {}, expected {}; fetch it again",
                files[i].path(), sums[i], shards[i].md5);
  }
  return {};
}

}  // namespace handloom::formats
