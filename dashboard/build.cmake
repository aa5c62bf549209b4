# Run by CMakeLists.txt: installs the packages when the lock file changed, then builds the page into OUT, or with
# -DTESTS=ON runs the units, or with -DCHROMIUM=... checks the page in OUT in that browser. Without packages it says why
# and, for the page, puts not_built.html in its place.

# One installation at a time: several build folders share node_modules.
file(LOCK ${SOURCE}/.npm.lock GUARD PROCESS TIMEOUT 600 RESULT_VARIABLE locked)

# Sets `problem` to why there are no packages, or to nothing.
function(install_packages)
  set(problem "" PARENT_SCOPE)
  if(NOT NPM)
    set(problem "npm was not found (Debian: apt-get install nodejs npm)" PARENT_SCOPE)
    return()
  endif()
  file(SHA256 ${SOURCE}/package-lock.json wanted)
  set(mark ${SOURCE}/node_modules/.installed)
  if(EXISTS ${mark})
    file(READ ${mark} have)
    if(have STREQUAL wanted)
      return()
    endif()
  endif()
  message(STATUS "dashboard: installing packages (npm ci)")
  execute_process(COMMAND ${NPM} ci --prefer-offline --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000
                  WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 300)
  if(NOT code EQUAL 0)
    string(REGEX MATCH "npm (error|ERR!) (code )?[A-Z]+[^\n]*" first "${said}")
    set(problem "npm ci failed: ${first}" PARENT_SCOPE)
    return()
  endif()
  file(WRITE ${mark} ${wanted})
endfunction()

install_packages()

if(CHROMIUM AND NOT problem AND NOT IS_DIRECTORY ${OUT}/assets)
  set(problem "the page was not built")
endif()
if(problem AND (TESTS OR CHROMIUM))
  message("dashboard tests skipped: ${problem}")
  return()
endif()

if(TESTS)
  execute_process(COMMAND ${NPM} run --silent test WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "dashboard: units failed")
  endif()
  return()
endif()

if(problem)
  message(WARNING "dashboard: NOT built. ${problem}. The gateway will serve a page that says so; everything else works.")
  file(MAKE_DIRECTORY ${OUT})
  configure_file(${SOURCE}/not_built.html ${OUT}/index.html COPYONLY)
  # No stamp: the next build tries again.
  return()
endif()

if(CHROMIUM)
  execute_process(COMMAND ${NPM} run --silent check -- --fixture --dist ${OUT} --chromium ${CHROMIUM}
                  WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "dashboard: the browser check failed")
  endif()
  return()
endif()

execute_process(COMMAND ${NPM} run --silent build -- --outDir ${OUT} --emptyOutDir --logLevel warn
                WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "dashboard: the build failed")
endif()
file(TOUCH ${STAMP})
