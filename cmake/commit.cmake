# Run at every build: writes OUT, what build_commit() answers, and leaves it alone where that is the
# same as before, so that nothing is compiled again. SOURCE is the project's folder.
cmake_policy(VERSION 3.25)
set(commit unknown)
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty --abbrev=7 --exclude=*
    RESULT_VARIABLE status OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(status EQUAL 0)
    set(commit ${described})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
"#include \"build_commit.h\"

std::string_view cli::build_commit() { return \"@commit@\"; }
")
