/* Preloaded into a process: every fsync and fdatasync takes longer, by FSYNC_DELAY_US microseconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static long delay_ns(void) {
  static long known = -1;
  if (known < 0) {
    const char *us = getenv("FSYNC_DELAY_US");
    known = us ? atol(us) * 1000 : 0;
  }
  return known;
}

static long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* The kernel sleeps 50 microseconds too long: what is short is waited for awake. */
static void delay(void) {
  long ns = delay_ns();
  if (ns >= 500000) {
    struct timespec sleep = {ns / 1000000000L, ns % 1000000000L};
    nanosleep(&sleep, 0);
    return;
  }
  for (long end = now_ns() + ns; now_ns() < end;) {
  }
}

int fsync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  delay();
  return real(file);
}

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  delay();
  return real(file);
}
