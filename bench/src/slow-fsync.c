/* Preloaded into a process: every fsync and fdatasync takes a millisecond longer, as on a disk without a write cache. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_a_millisecond(void) {
  struct timespec delay = {0, 1000000};
  nanosleep(&delay, 0);
}

int fsync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_a_millisecond();
  return real(file);
}

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_a_millisecond();
  return real(file);
}
