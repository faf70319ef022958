/* A wall clock that is set while a process runs: preloaded, it adds what the file $SET_CLOCK says.
 *
 * The file holds two doubles: seconds to add, and how fast the clock runs (1: as it should), from the start of the
 * process. Only the wall clock is set; CLOCK_MONOTONIC and CLOCK_BOOTTIME are nobody's to set.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const double *set;
static double start;

static double real(void) {
    struct timespec at;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SET_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    start = real();
    if (file < 0) return;
    void *found = mmap(NULL, 2 * sizeof(double), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) set = found;
}

static double now(void) {
    double at = real();
    return set ? start + (at - start) * set[1] + set[0] : at;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return syscall(SYS_clock_gettime, clock, at);
    double seconds = now();
    at->tv_sec = (time_t)seconds;
    at->tv_nsec = (long)((seconds - at->tv_sec) * 1e9);
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    double seconds = now();
    at->tv_sec = (time_t)seconds;
    at->tv_usec = (suseconds_t)((seconds - at->tv_sec) * 1e6);
    return 0;
}

time_t time(time_t *at) {
    time_t seconds = (time_t)now();
    if (at) *at = seconds;
    return seconds;
}
