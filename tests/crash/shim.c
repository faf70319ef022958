/* Kills its process by SIGKILL at a chosen operation on the files below one directory.

   Preloaded into the fork server. Counts writes, syncs, renames, links, truncations and unlinks, and the points the
   workload marks by itself. Before, after, or in the middle of the chosen one (a write: half of it) it writes a line
   to the log outside the store and kills. Only matching paths count: the interpreter's own files are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BEFORE = 0, TORN = 1, AFTER = 2 };

static char folder[PATH_MAX];
static size_t folder_length;
static char line[512];
static int log_descriptor = -1;
static long chosen;
static int moment;
static long counted;

void shim_watch(const char *path, int descriptor, const char *text, long number, int when) {
    counted = 0;
    chosen = number;
    moment = when;
    log_descriptor = descriptor;
    snprintf(line, sizeof line, "%s", text);
    snprintf(folder, sizeof folder, "%s", path);
    folder_length = strlen(folder);
}

long shim_counted(void) { return __sync_add_and_fetch(&counted, 0); }

static void die(void) {
    if (log_descriptor >= 0) {
        ssize_t written = write(log_descriptor, line, strlen(line));
        (void)written;
    }
    syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

/* Whether this operation is the chosen one; does not return when it is and the moment is before it. */
static int begin(void) {
    int hit = __sync_add_and_fetch(&counted, 1) == chosen;
    if (hit && moment == BEFORE)
        die();
    return hit;
}

static void end(int hit) {
    if (hit) {
        die();
    }
}

void shim_point(void) {
    if (folder_length)
        end(begin());
}

static int below(const char *path) { return folder_length && strncmp(path, folder, folder_length) == 0; }

static int open_below(int descriptor) {
    char link[64], path[PATH_MAX];
    int kept = errno;
    ssize_t length;
    if (!folder_length || descriptor == log_descriptor)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return below(path);
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define WRITE(name, offset_type) \
    ssize_t name(int descriptor, const void *data, size_t size, offset_type at) { \
        REAL(name); \
        int hit = open_below(descriptor) && begin(); \
        if (hit && moment == TORN) { \
            ssize_t half = real(descriptor, data, size / 2, at); \
            (void)half; \
            die(); \
        } \
        ssize_t result = real(descriptor, data, size, at); \
        end(hit); \
        return result; \
    }

WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(write);
    int hit = open_below(descriptor) && begin();
    if (hit && moment == TORN) {
        ssize_t half = real(descriptor, data, size / 2);
        (void)half;
        die();
    }
    ssize_t result = real(descriptor, data, size);
    end(hit);
    return result;
}

#define ON_DESCRIPTOR(name, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        int hit = open_below(descriptor) && begin(); \
        int result = real arguments; \
        end(hit); \
        return result; \
    }

ON_DESCRIPTOR(fsync, (int descriptor), (descriptor))
ON_DESCRIPTOR(fdatasync, (int descriptor), (descriptor))
ON_DESCRIPTOR(ftruncate, (int descriptor, off_t size), (descriptor, size))
ON_DESCRIPTOR(ftruncate64, (int descriptor, off64_t size), (descriptor, size))

#define ON_PATH(name, parameters, path, arguments) \
    int name parameters { \
        REAL(name); \
        int hit = below(path) && begin(); \
        int result = real arguments; \
        end(hit); \
        return result; \
    }

ON_PATH(rename, (const char *from, const char *to), from, (from, to))
ON_PATH(link, (const char *from, const char *to), from, (from, to))
ON_PATH(unlink, (const char *path), path, (path))
