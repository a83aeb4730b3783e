# What a program that uses the SDK needs: headers, library, CMake package, pkg-config file.
include(CMakePackageConfigHelpers)

set(CMAKE_FILES ${CMAKE_INSTALL_LIBDIR}/cmake/rgan)
set(PKGCONFIG_FILES ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY include/rgan DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(RGAN_PYTHON)
  set(NAMELINK NAMELINK_SKIP) # a wheel holds no links
endif()
install(
  TARGETS rgan
  EXPORT rgan
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ${NAMELINK}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

install(
  EXPORT rgan
  NAMESPACE rgan::
  FILE rganTargets.cmake
  DESTINATION ${CMAKE_FILES})
configure_package_config_file(cmake/rganConfig.cmake.in rganConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_FILES} NO_SET_AND_CHECK_MACRO)
# Before version 1, a minor version may change the interface.
write_basic_package_version_file(rganConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rganConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/rganConfigVersion.cmake DESTINATION ${CMAKE_FILES})

# Paths in rgan.pc begin where it lies, so that the whole can be moved.
foreach(kind LIB INCLUDE)
  cmake_path(
    RELATIVE_PATH
    CMAKE_INSTALL_FULL_${kind}DIR
    BASE_DIRECTORY
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
    OUTPUT_VARIABLE
    RELATIVE_${kind}DIR)
endforeach()
if(RGAN_PYTHON AND BUILD_SHARED_LIBS)
  set(PKGCONFIG_NAME :librgan.so.0) # without a link, the linker needs the whole name
else()
  set(PKGCONFIG_NAME rgan)
endif()
if(NOT BUILD_SHARED_LIBS)
  set(PKGCONFIG_PRIVATE "-lstdc++ -lm -pthread -ldl ${HOLD}")
endif()
configure_file(cmake/rgan.pc.in rgan.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rgan.pc DESTINATION ${PKGCONFIG_FILES})
