// MD5 (RFC 1321), for comparing files with the sums that publishers put beside them. It finds
// damage, not malice: collisions are easy to make.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace handloom {

/// The sum as 32 lower-case hexadecimal digits, as md5sum prints it.
std::string md5_hex(std::span<const std::byte> bytes);

}  // namespace handloom
