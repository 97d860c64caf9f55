// The three standard streams and Ctrl-C: all that is particular to the operating system.
#pragma once

#include <string>
#include <string_view>

namespace cli {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

/// Columns of the terminal behind stderr; 80 if unknown.
int terminal_width();

/// Writes all of `text` now. Throws Failure: "stdout: closed by the reader", or what the system
/// says.
void write_stdout(std::string_view text);

/// Writes `text`; stderr has nobody to tell when it fails.
void write_stderr(std::string_view text);

/// A closed pipe becomes a failed write instead of ending the program.
void ignore_closed_pipes();

/// From now on the first Ctrl-C only sets interrupted(), which is unset till then; the second ends
/// the program at once.
void catch_interrupt();
bool interrupted();
/// From now on Ctrl-C ends the program at once.
void leave_interrupt();

/// "Linux 6.1.0-18-amd64 x86_64"
std::string system_name();

/// Folder of the running program, or empty if the system does not say.
std::string program_folder();

}  // namespace cli
